/** A configuration as the policy sees it. */

import type { Settings } from "../../policies/settings.ts";
import type { Configuration } from "../../shared/config/configuration.ts";
import { parametersOf } from "../../shared/parameters/mod.ts";
import { logsToService } from "./plans.ts";

/** Adapts a configuration; only rewrite reads tables, so its parameters name all of them. */
export function settingsOf(configuration: Configuration): Settings {
  return {
    value: (name) => configuration.value(name),
    services: configuration.services,
    logsToService: logsToService(configuration),
    tables: new Map(Object.entries(configuration.texts(parametersOf("rewrite")))),
    readTable(file) {
      try {
        return Deno.readTextFileSync(file);
      } catch {
        return "";
      }
    },
  };
}
