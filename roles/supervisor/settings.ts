/** A configuration as the policy sees it. */

import { policies } from "../../policies/mod.ts";
import type { ServiceLine, Settings } from "../../policies/settings.ts";
import type { Configuration } from "../../shared/config/configuration.ts";
import { parametersOf } from "../../shared/parameters/mod.ts";
import { textOf } from "./host.ts";
import { logsToService } from "./plans.ts";

/** Adapts a configuration; the parameters of who reads tables name all of them. */
export function settingsOf(configuration: Configuration): Settings {
  const readers = policies.filter((row) => row.reads?.includes("tables"));
  const tables = readers.flatMap(({ role }) =>
    Object.entries(parametersOf(role)).filter(([, { tables }]) => tables)
  );
  const entryOf = (line: ServiceLine | undefined) =>
    configuration.services.find((each) => each === line);
  return {
    value: (name, line) => configuration.value(name, entryOf(line)),
    services: configuration.services,
    logsToService: logsToService(configuration),
    syslogName: (line) => configuration.value("syslog_name", entryOf(line)),
    tables: new Map(Object.entries(configuration.texts(Object.fromEntries(tables)))),
    readTable: textOf,
  };
}
