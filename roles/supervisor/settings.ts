/** A configuration as the policy sees it. */

import { policies } from "../../policies/mod.ts";
import type { Settings } from "../../policies/settings.ts";
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
  return {
    value: (name) => configuration.value(name),
    services: configuration.services,
    logsToService: logsToService(configuration),
    syslogName: (line) =>
      configuration.value("syslog_name", configuration.services.find((each) => each === line)),
    tables: new Map(Object.entries(configuration.texts(Object.fromEntries(tables)))),
    readTable: textOf,
  };
}
