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
  [
    "25 inet n - n - - smtpd -o mynetworks=127.0.0.0/8 -o syslog_name=x -o smtpd_tls_cert_file=",
    [],
  ],
  [
    "25 inet n - n - - smtpd -o local_recipient_maps=",
    [
      "warning: master.cf, line 1: local_recipient_maps: " +
      "has no effect on smtpd, which does not read it: main.cf alone sets it",
    ],
  ],
  ["smtp unix - - n - - smtp -o smtp_helo_name=$mydomain -o mydomain=x.test", []],
  ["qmgr unix n - n 300 1 qmgr -o qmgr_destination_concurrency_limit=3", []],
  [
    "smtp unix - - n - - smtp -o smtp_destination_concurrency_limit=3",
    [
      "warning: master.cf, line 1: smtp_destination_concurrency_limit: " +
      "has no effect on smtp, which does not read it: main.cf alone sets it",
    ],
  ],
  ["flush unix n - n - 0 flush -o relayhost=", []],
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
