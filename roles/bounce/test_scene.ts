/** For tests: reports to make, and a notifier between a qmgr and a cleanup of the test's own. */

import { byteText, textBytes } from "../../shared/bytes.ts";
import { Content } from "../../shared/ipc/content.ts";
import { setSink } from "../../shared/log/log.ts";
import { bounceParameters } from "../../shared/parameters/bounce.ts";
import { parseAll } from "../../shared/parameters/declare.ts";
import type { Report } from "../../shared/protocols/bounce.ts";
import { testEnvelope } from "../../tests/support/envelope.ts";
import { type CleanupClient, Notifier } from "./notifier.ts";

export const NOW = 1_700_000_000_000;
export const QUEUE_ID = "4dXyZ12345z1";
export const ORIGINAL = "Received: a\r\n\tb\r\nSubject: x\r\nFrom: joe\r\n\r\nbody\r\n--x\r\n";

export function report(more: Partial<Omit<Report, "envelope">> = {}, envelope = {}): Report {
  return {
    kind: "failure",
    envelope: testEnvelope({
      queueId: QUEUE_ID,
      sender: "joe@example.org",
      arrived: NOW - 60_000,
      ...envelope,
    }),
    size: ORIGINAL.length,
    recipients: [recipient()],
    retryUntil: 0,
    ...more,
  };
}

export function recipient(more = {}, outcome = {}): Report["recipients"][number] {
  return {
    address: "anna@example.com",
    original: "all@example.net",
    orcpt: "",
    notify: [],
    outcome: {
      n: 0,
      status: "bounced",
      dsn: "5.1.1",
      text: "host mx.example.com[192.0.2.1] said: 550 5.1.1 no such user",
      remoteMta: "mx.example.com",
      diagnostic: "550 5.1.1 no such user",
      ...outcome,
    },
    ...more,
  };
}

// deno-lint-ignore no-explicit-any
type Sent = { submission: any; text: string };

/** A notifier between a qmgr and a cleanup of the test's own. */
export function scene(texts: Record<string, string> = {}, fails?: (sent: Sent) => unknown) {
  const sent: Sent[] = [], log: string[] = [];
  setSink((severity, text) => log.push(severity === "info" ? text : `${severity}: ${text}`));
  const defaults = Object.values(bounceParameters).map(({ name, fallback }) => [name, fallback]);
  const params = parseAll(bounceParameters, {
    ...Object.fromEntries(defaults),
    myhostname: "mx.example.net",
    mydomain: "example.net",
    myorigin: "example.net",
    ...texts,
  });
  let ids = 0;
  const call = async (_: string, submission: unknown, bytes: Uint8Array) => {
    const each = { submission, text: byteText(bytes) };
    const reply = await fails?.(each) ?? { queued: true, code: 250, dsn: "2.0.0", text: "Ok" };
    sent.push(each);
    return { reply };
  };
  const cleanup = { call, close() {} } as unknown as CleanupClient;
  const notifier = new Notifier(params, cleanup, () => `4dXyZ1234${++ids}z1`, () => NOW);
  return {
    sent,
    log,
    report: (asked: Report, original = ORIGINAL) =>
      notifier.report(asked, new Content(textBytes(original), false, () => {})),
  };
}

/** The fields of the report for this. */
export async function fields(asked: Report): Promise<string> {
  const { report: ask, sent } = scene();
  await ask(asked);
  return sent[0]!.text.split("delivery-status\r\n\r\n")[1]!.split("\r\n\r\n--")[0]!;
}
