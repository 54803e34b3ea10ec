/** Requests of a person's calls: what fits the schema, made sensible for the call, and then as the person wants it. */

import type { Call } from "../../shared/ipc/declare.ts";
import { mailDate } from "../../shared/mail/date.ts";
import type { Outcome } from "../../shared/mail/envelope.ts";
import { queueIdOf } from "../../shared/mail/queue_id.ts";
import type { Report } from "../../shared/protocols/bounce.ts";
import { sample } from "./role_sample.ts";

/** What a JSON object is. */
export type Fields = Readonly<Record<string, unknown>>;

/** A message that goes with calls that carry content. */
export function sampleContent(): string {
  return `Received: from a person at a terminal; ${mailDate(Date.now())}\r\n` +
    `Date: ${mailDate(Date.now())}\r\nMessage-Id: <${crypto.randomUUID()}@example.com>\r\n` +
    "From: sender@example.com\r\nTo: someone@example.com\r\n" +
    "Subject: a message from postern role\r\n\r\nHello.\r\n";
}

/** The request: `given` replaces what the sample has, field by field. `nexthop`: where mail is delivered, if not by MX. */
export function requestOf(
  service: string,
  name: string,
  call: Call,
  given: Fields,
  content: string,
  nexthop?: string,
): Fields {
  const plain = sample(call.request) as Fields;
  const known = {
    // Each is a message of its own.
    ...("envelope" in plain ? { envelope: { queueId: queueIdOf(Date.now() * 1000, made++) } } : {}),
    ...(call.contentIn && "size" in plain ? { size: content.length } : {}),
    ...(nexthop !== undefined && "nexthop" in plain ? { nexthop } : {}),
  };
  const sensible = SENSIBLE[`${service}.${name}`]?.(given) ?? {};
  const parts = [known, sensible, given];
  return parts.reduce<Fields>((all, part) => merged(all, part) as Fields, plain);
}

/** Messages made so far. */
let made = 0;

/** After a call's name, an example of what may differ. */
export function exampleOf(service: string, name: string, call: Call, nexthop?: string): string {
  if (nexthop !== undefined && name === "deliver") return JSON.stringify({ nexthop });
  if (service === "bounce") return JSON.stringify({ kind: "delay" });
  if (service === "log") return JSON.stringify({ lines: ["hello"], severities: "i", after: [0] });
  const request = JSON.stringify(sample(call.request));
  return request.length < MAX_EXAMPLE ? request : RECIPIENT;
}

/** A longer request is no example. */
const MAX_EXAMPLE = 80;
const RECIPIENT = '{"recipients":[{"address":"you@example.com"}]}';

/** Objects field by field, each element of a list over the sample's first; anything else as given. */
function merged(base: unknown, given: unknown): unknown {
  if (Array.isArray(given)) {
    const [first] = Array.isArray(base) ? base : [];
    return given.map((each, n) => merged(numbered(first, n), each));
  }
  if (!isFields(given) || !isFields(base)) return given;
  const entries = Object.entries(given).map(([name, value]) => [name, merged(base[name], value)]);
  return { ...base, ...Object.fromEntries(entries) };
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Recipients are told apart by their number. */
function numbered(element: unknown, n: number): unknown {
  return isFields(element) && "n" in element ? { ...element, n } : element;
}

const SENSIBLE: Readonly<Record<string, (given: Fields) => Fields>> = {
  "bounce.report": ({ kind = "failure" }) => REPORTS[kind as Report["kind"]]?.() ?? {},
  "anvil.event": () => ({ amount: 1 }),
  "log.write": () => ({
    lines: ["a line from postern role"],
    since: Date.now() * 1000,
    after: [0],
  }),
};

const SERVER = "mx.example.com";
const REFUSAL = "550 5.1.1 <someone@example.com>: no such user";
const HOUR_MS = 3600 * 1000;

/** A report of each kind is about recipients with outcomes that lead to it. */
const REPORTS: Readonly<Record<Report["kind"], () => Fields>> = {
  failure: () =>
    about({
      status: "bounced",
      dsn: "5.1.1",
      text: `host ${SERVER}[192.0.2.25] said: ${REFUSAL} (in reply to RCPT TO command)`,
      remoteMta: SERVER,
      diagnostic: REFUSAL,
    }),
  delay: () => ({
    ...about({
      status: "deferred",
      dsn: "4.4.1",
      text: `connect to ${SERVER}[192.0.2.25]:25: Connection timed out`,
    }, ["DELAY"]),
    envelope: { arrived: Date.now() - 4 * HOUR_MS },
    retryUntil: Date.now() + 5 * 24 * HOUR_MS,
  }),
  success: () =>
    about({ status: "sent", dsn: "2.0.0", text: "delivered to maildir", success: "delivered" }, [
      "SUCCESS",
    ]),
  trace: () => ({
    ...about({
      status: "sent",
      dsn: "2.0.0",
      text: "250 2.0.0 Ok",
      relay: `${SERVER}[192.0.2.25]:25`,
      success: "relayed",
    }),
    envelope: { trace: "deliver" },
  }),
};

function about(outcome: Partial<Outcome>, notify: string[] = []): Fields {
  return { recipients: [{ notify, outcome }] };
}
