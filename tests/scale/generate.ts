/** Fills a queue with deferred mail by the store's own interface: no system has to take it in first. */

import { queueIdSource } from "../../shared/mail/queue_id.ts";
import type { Batch, NewMessage } from "../../shared/queue/store.ts";
import { openStore } from "../../shared/queue/sqlite_store.ts";
import { testEnvelope } from "../support/envelope.ts";

/** Messages that are committed together. */
const BATCH = 5000;
const SMALLEST_BYTES = 1024, LARGEST_BYTES = 2048;
/** Mail that is not due is tried again within this time, evenly spread. */
const LATER_MS = { from: 1_800_000, to: 3_600_000 };
/** How many dead destinations the mail is for. */
export const DEAD = 200;
/** Each so many due messages are for a destination that answers. */
const ALIVE_EVERY = 20;

export interface Generated {
  /** Messages altogether. */
  readonly deferred: number;
  /** Of these, so many are due at once: most for dead destinations, some for `alive`. */
  readonly due: number;
  /** A recipient at a destination that answers. */
  readonly alive: string;
  /** A domain below which every destination is dead. */
  readonly dead: string;
}

/** Writes the messages into qmgr's directory, of which nobody else may be a user now; how many are for `alive`. */
export async function generate(directory: string, what: Generated): Promise<number> {
  const store = openStore(directory);
  const nextId = queueIdSource();
  const now = Date.now();
  let alive = 0;
  try {
    for (let from = 0; from < what.deferred; from += BATCH) {
      const batch: Batch & { added: NewMessage[] } = {
        added: [],
        outcomes: [],
        reported: [],
        moved: [],
        removed: [],
      };
      for (let n = from; n < Math.min(from + BATCH, what.deferred); n++) {
        const isDue = n < what.due, isAlive = isDue && n % ALIVE_EVERY === ALIVE_EVERY - 1;
        if (isAlive) alive++;
        const recipient = isAlive ? what.alive : `u${n}@d${n % DEAD}.${what.dead}`;
        const message = deferredMessage(nextId(), n, recipient);
        const { queueId } = message.envelope;
        const part = (n - what.due) / Math.max(1, what.deferred - what.due);
        const later = now + LATER_MS.from + Math.floor(part * (LATER_MS.to - LATER_MS.from));
        batch.added.push(message);
        (batch.outcomes as Batch["outcomes"][number][]).push({ queueId, outcomes: [REFUSED] });
        (batch.moved as Batch["moved"][number][]).push({
          queueId,
          queue: "deferred",
          nextTry: isDue ? now - 60_000 + Math.floor(n * 60_000 / what.due) : later,
        });
      }
      await store.commit(batch);
    }
  } finally {
    await store.close();
  }
  return alive;
}

const REFUSED = {
  n: 0,
  status: "deferred",
  dsn: "4.4.1",
  text: "connect to 127.0.0.1[127.0.0.1]:9: Connection refused",
  remoteMta: "",
  diagnostic: "",
} as const;

const filler = new Uint8Array(LARGEST_BYTES).fill(0x78);
const head = new TextEncoder().encode("Subject: deferred\r\n\r\n");
filler.set(head);
filler.set([13, 10], SMALLEST_BYTES - 2);

function deferredMessage(queueId: string, n: number, address: string): NewMessage {
  const size = SMALLEST_BYTES + n % (LARGEST_BYTES - SMALLEST_BYTES);
  return {
    envelope: testEnvelope({
      queueId,
      sender: "s@src.test",
      arrived: Date.now() - 600_000,
      client: { name: "localhost", address: "127.0.0.1", port: 0, helo: "load", protocol: "ESMTP" },
    }),
    recipients: [{ address, original: address, orcpt: "", notify: [] }],
    content: filler.subarray(0, size),
    queue: "incoming",
  };
}
