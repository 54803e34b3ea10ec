/** For tests: a configuration from the texts of its files. */

import { Configuration } from "../../shared/config/configuration.ts";
import { parseMainCf } from "../../shared/config/main_cf.ts";
import { parseMasterCf } from "../../shared/config/master_cf.ts";

export function configured(main: string, master: string): Configuration {
  const facts = { hostname: "mx.example.com", repository: "/srv/clone", version: "1.2.3" };
  return new Configuration(
    "/conf",
    facts,
    parseMainCf(main, "main.cf"),
    parseMasterCf(master, "master.cf"),
  );
}
