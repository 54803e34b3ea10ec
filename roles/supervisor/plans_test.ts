import { assertEquals } from "@std/assert";
import { Configuration } from "../../shared/config/configuration.ts";
import { parseMainCf } from "../../shared/config/main_cf.ts";
import { parseMasterCf } from "../../shared/config/master_cf.ts";
import { clientLimit, sessionLimit } from "./plans.ts";

for (
  const [wanted, descriptors, served] of [
    [10_000, Infinity, 10_000],
    [10_000, 20_000, 10_000],
    [10_000, 1024, 424],
    [10_000, 100, 1],
  ] as const
) {
  Deno.test(`${wanted} clients with ${descriptors} descriptors: ${served} are served`, () => {
    assertEquals(sessionLimit(wanted, descriptors), served);
  });
}

for (
  const [maxproc, main, served] of [
    ["-", "", 10_000],
    ["-", "default_process_limit = 100", 100],
    ["-", "default_process_limit = 100\nsmtpd_session_limit = 50", 100],
    ["-", "smtpd_session_limit = 50", 50],
    ["7", "default_process_limit = 100", 7],
    ["0", "default_process_limit = 100", 10_000],
  ] as const
) {
  Deno.test(`an smtpd with maxproc ${maxproc} and "${main}" serves ${served} clients`, () => {
    const master = parseMasterCf(`2525 inet n - n - ${maxproc} smtpd`, "master.cf");
    const facts = { hostname: "mx.example.com", repository: "/srv/clone", version: "1.2.3" };
    const configuration = new Configuration("/conf", facts, parseMainCf(main, "main.cf"), master);
    assertEquals(clientLimit(configuration, configuration.services[0]), served);
  });
}
