import { assertEquals } from "@std/assert";
import {
  clientLimit,
  connectionLimit,
  contentFileLimit,
  sessionLimit,
  transportLimits,
} from "./plans.ts";
import { configured } from "./test_configuration.ts";

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
  const [callers, services, descriptors, taken] of [
    [13, 5, Infinity, 72],
    [13, 5, 1024, 72],
    [130, 1, 1024, 424],
    [130, 5, 20_000, 540],
    [13, 5, 256, 13],
  ] as const
) {
  const what = `${callers} callers of each of ${services} services, and ${descriptors} descriptors`;
  Deno.test(`${what}: ${taken} connections are taken`, () => {
    assertEquals(connectionLimit(callers, services, descriptors), taken);
  });
}

for (
  const [wanted, connections, descriptors, received] of [
    [4000, 360, Infinity, 4000],
    [4000, 360, 20_000, 4000],
    [4000, 360, 4096, 1568],
    [4000, 360, 1024, 32],
    [4000, 360, 256, 1],
  ] as const
) {
  const what = `${wanted} large contents beside ${connections} connections`;
  Deno.test(`${what} with ${descriptors} descriptors: ${received} are received`, () => {
    assertEquals(contentFileLimit(wanted, connections, descriptors), received);
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
    const configuration = configured(main, `2525 inet n - n - ${maxproc} smtpd`);
    assertEquals(clientLimit(configuration, configuration.services[0]), served);
  });
}

Deno.test("maxproc of a transport bounds its deliveries, unless main.cf says how many", () => {
  const configuration = configured(
    "slow_transport_concurrency_limit = 3",
    "slow unix - - n - 9 smtp\nslower unix - - n - 1 lmtp\nsmtp unix - - n - - smtp\npickup unix n - n 60 1 pickup",
  );
  const text = JSON.stringify({ "": "500", slow: "3" });
  assertEquals(JSON.parse(transportLimits(text, configuration)), {
    "": "500",
    slow: "3",
    slower: "1",
  });
});
