/** Mail of every kind, at a steady rate, for as long as it is wanted; a broken connection is no reason to stop. */

import { reason } from "../../shared/errors.ts";
import { SmtpClient } from "../support/smtp.ts";
import type { System } from "../support/system.ts";
import { pause } from "../support/waiting.ts";

/** What is sent again and again. */
interface Kind {
  readonly name: string;
  readonly everyMs: number;
  send(system: System): Promise<void>;
}

const SMALL = message(4096), LARGE = message(2 * 1024 * 1024);
const RECIPIENTS = 30;

const KINDS: readonly Kind[] = [
  { name: "small, relayed", everyMs: 100, send: smtp(["u1@sink.test"], SMALL) },
  { name: "small, to a Maildir", everyMs: 100, send: smtp(["u1@box.test"], SMALL) },
  { name: "large", everyMs: 3000, send: smtp(["u1@box.test", "u1@sink.test"], LARGE) },
  { name: "many recipients", everyMs: 2000, send: smtp(many(), SMALL) },
  { name: "bouncing", everyMs: 1000, send: smtp(["nobody@bounce.test"], SMALL) },
  { name: "deferred", everyMs: 1000, send: smtp(["u1@dead.test", "u2@sink.test"], SMALL) },
  { name: "cut off", everyMs: 1000, send: cutOff },
  { name: "submitted", everyMs: 10_000, send: submit },
];

/** How many messages of each kind were taken, and why attempts failed: each reason with how often. */
export type Counts = Record<string, { taken: number; failed: Map<string, number> }>;

/** Sends until `signal` aborts. */
export async function sendAll(system: System, signal: AbortSignal): Promise<Counts> {
  const counts: Counts = {};
  await Promise.all(KINDS.map(async ({ name, everyMs, send }) => {
    const count = counts[name] = { taken: 0, failed: new Map<string, number>() };
    while (!signal.aborted) {
      const next = performance.now() + everyMs;
      try {
        await send(system);
        count.taken++;
      } catch (error) {
        // Roles are being killed: the client would try again.
        const why = withoutNames(reason(error));
        count.failed.set(why, (count.failed.get(why) ?? 0) + 1);
      }
      const early = Math.max(0, next - performance.now());
      await pause(early);
    }
  }));
  return counts;
}

/** The same for all messages: without queue ids. */
function withoutNames(text: string): string {
  return text.replace(/\b[0-9A-Za-z]{12,}\b/g, "...").slice(0, 200);
}

function smtp(to: readonly string[], content: string): (system: System) => Promise<void> {
  return async (system) => {
    using client = await system.client();
    await client.message("u2@box.test", to, content);
    await client.quit();
  };
}

/** A client that goes away in the middle of its message. */
async function cutOff(system: System): Promise<void> {
  using client: SmtpClient = await system.client();
  for (const line of ["MAIL FROM:<s@src.test>", "RCPT TO:<u1@box.test>"]) {
    client.write(`${line}\r\n`);
    await client.expect(250);
  }
  client.write("DATA\r\n");
  await client.expect(354);
  client.write(LARGE.slice(0, 200_000));
}

async function submit(system: System): Promise<void> {
  await system.command(["sendmail", "-f", "u2@box.test", "u1@box.test"], SMALL);
}

function message(length: number): string {
  const line = "x".repeat(70) + "\r\n";
  return "Subject: soak\r\n\r\n" + line.repeat(Math.ceil(length / line.length));
}

function many(): string[] {
  return Array.from({ length: RECIPIENTS }, (_, n) => `r${n}@sink.test`);
}
