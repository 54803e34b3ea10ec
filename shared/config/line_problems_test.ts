/** Columns and options of master.cf that are read and change nothing are named. */

import { assertEquals } from "@std/assert";
import { Configuration } from "./configuration.ts";
import { parseMainCf } from "./main_cf.ts";
import { parseMasterCf } from "./master_cf.ts";

const FACTS = { hostname: "mx.example.com", repository: "/srv/clone", version: "1.2.3" };

const lines: [string, string[]][] = [
  ["smtp unix - - y - 5 smtp", []],
  ["pickup unix n - n 60 1 pickup", []],
  ["flush unix n - n 1000? 0 flush -v", []],
  [
    "smtp unix - - n 60 - smtp",
    ["warning: master.cf, line 1: smtp: wakeup: has no effect on smtp: must be -"],
  ],
  [
    "smtp unix - - n - - smtp -v -D",
    ['warning: master.cf, line 1: smtp: -v -D: has no effect: "postern role" shows a role at work'],
  ],
];

for (const [line, expected] of lines) {
  Deno.test(`${line} is told of what has no effect in it, and of nothing else`, () => {
    const configuration = new Configuration(
      "/conf",
      FACTS,
      parseMainCf("", "main.cf"),
      parseMasterCf(line, "master.cf"),
    );
    const said = configuration.problems.filter(({ file }) => file === "master.cf");
    assertEquals(said.map(({ severity, message }) => `${severity}: ${message}`), expected);
  });
}
