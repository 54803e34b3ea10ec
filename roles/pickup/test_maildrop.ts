/** What the tests of the maildrop share: one in a temporary directory, and what happened there. */

import { setSink } from "../../shared/log/log.ts";
import { namesIn } from "../../tests/support/files.ts";
import { submit } from "../../tests/support/maildrop.ts";
import { until } from "../../tests/support/waiting.ts";
import { type Fate, type Found, Maildrop } from "./maildrop.ts";

/** A maildrop in a temporary directory, and what happened there. */
export interface Bench {
  readonly directory: string;
  readonly maildrop: Maildrop;
  readonly log: string[];
  readonly found: Found[];
  /** What submissions meet. */
  fate: (found: Found) => Promise<Fate> | Fate;
  /** Milliseconds that have passed for the maildrop: by its clock beside those that did. */
  ahead: number;
  /** Milliseconds by which somebody has set the clock. */
  set: number;
}

/** The message_size_limit of these tests. */
export const LIMIT = 10_240_000;

/** Directories that are not the maildrop, removed after the test. */
const others: string[] = [];

/** Another directory, removed after the test. */
export function elsewhere(): string {
  const directory = Deno.makeTempDirSync();
  others.push(directory);
  return directory;
}

/** Runs a test with a maildrop of its own. */
export async function within(test: (bench: Bench) => Promise<void>): Promise<void> {
  const directory = Deno.makeTempDirSync();
  const log: string[] = [];
  const found: Found[] = [];
  setSink((severity, text) => log.push(`${severity}: ${text}`));
  const bench: Bench = {
    directory,
    log,
    found,
    ahead: 0,
    set: 0,
    fate: () => "done",
    maildrop: new Maildrop({
      directory,
      messageSizeLimit: LIMIT,
      now: () => Date.now() + bench.ahead + bench.set,
      steady: () => bench.ahead,
      submit: async (each) => {
        found.push(each);
        return await bench.fate(each);
      },
    }),
  };
  try {
    await test(bench);
  } finally {
    await bench.maildrop.stop();
    for (const each of [directory, ...others.splice(0)]) Deno.removeSync(each, { recursive: true });
  }
}

/** One look at everything, to the end of all that it began. */
export async function look({ maildrop }: Bench): Promise<void> {
  await maildrop.scan();
  await until(() => !maildrop.busy);
}

/** Leaves a plain submission; the name of its file. */
export function submission(directory: string, recipient = "you@example.com"): string {
  return submit(directory, { sender: "me", recipients: [recipient] }, "Subject: x\r\n\r\nx\r\n");
}

/** What is in the maildrop. */
export const names = ({ directory }: Bench) => namesIn(directory).sort();

/** A name that sendmail could give. */
export const NAME = "0123456789abcdef".repeat(2);
