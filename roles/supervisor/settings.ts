/** A configuration as the policy sees it. */

import { policies, policyOfCommand } from "../../policies/mod.ts";
import type { ServiceLine, Settings } from "../../policies/settings.ts";
import type { Configuration } from "../../shared/config/configuration.ts";
import { parametersOf } from "../../shared/parameters/mod.ts";
import { textOf } from "./host.ts";
import { logsToService } from "./plans.ts";

/** Adapts a configuration; the parameters of who reads tables name all of them. */
export function settingsOf(configuration: Configuration): Settings {
  const readers = policies.filter((row) => row.reads?.includes("tables"));
  const tables = readers.flatMap((row) => {
    // alias_maps are asked where local_recipient_maps name them, and nowhere else.
    const named = Object.entries(parametersOf(row.role))
      .filter(([, { name, tables }]) => tables && name !== "alias_maps");
    const line = configuration.services.find(({ command }) => policyOfCommand(command) === row);
    return Object.entries(configuration.texts(Object.fromEntries(named), line));
  });
  const entryOf = (line: ServiceLine | undefined) =>
    configuration.services.find((each) => each === line);
  return {
    value: (name, line) => configuration.value(name, entryOf(line)),
    services: configuration.services,
    logsToService: logsToService(configuration),
    syslogName: (line) => configuration.value("syslog_name", entryOf(line)),
    tables: new Map(tables),
    readTable: textOf,
  };
}
