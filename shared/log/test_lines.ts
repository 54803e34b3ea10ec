/** For tests: what lines are made of, and what is logged. */

import { assertEquals } from "@std/assert";
import type { Delivery } from "./lines.ts";
import { setSink } from "./log.ts";

/** What a call logs, with the severity word that stands before it. */
export function logged(act: () => void): string {
  const log: string[] = [];
  setSink((severity, text) => log.push(severity === "info" ? text : `${severity}: ${text}`));
  act();
  assertEquals(log.length, 1);
  return log[0]!;
}

export const ID = "4jWb0l1srxzJDLc";
export const CLIENT = { name: "host.example.com", address: "192.0.2.1" };
export const DELIVERY: Delivery = {
  queueId: ID,
  recipient: "user@example.com",
  original: "user@example.com",
  relay: "mx.example.com[192.0.2.25]:25",
  delays: [120, 10, 340, 100],
  dsn: "2.0.0",
  status: "sent",
  text: "250 2.0.0 Ok: queued as 4XyZ",
};
export const AT = {
  client: CLIENT,
  sender: "from@example.com",
  recipient: "to@example.org",
  protocol: "ESMTP",
  helo: "host.example.com",
};
export const RELAY_DENIED = "554 5.7.1 <to@example.org>: Relay access denied";
