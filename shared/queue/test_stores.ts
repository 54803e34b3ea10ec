/**
 * The stores that the contract tests are run with. A further store is added to STORES and passes the same tests; `crash` is
 * how it looks to a new owner when the old one died without a word.
 */

import { testEnvelope } from "../../tests/support/envelope.ts";
import { setSink } from "../log/log.ts";
import type { Envelope, Recipient } from "../mail/envelope.ts";
import { queueIdSource } from "../mail/queue_id.ts";
import { openStore } from "./sqlite_store.ts";
import type { Batch, QueueStore } from "./store.ts";

export interface Place {
  open(): QueueStore;
  /** The state of the disk at this moment, for a new owner; the old one goes on where it was. */
  crash(): Place;
  destroy(): void;
}

function sqlite(directory = Deno.makeTempDirSync()): Place {
  return {
    open: () => openStore(`${directory}/queue`),
    crash() {
      const copy = Deno.makeTempDirSync();
      copyTree(directory, copy);
      return sqlite(copy);
    },
    destroy: () => Deno.removeSync(directory, { recursive: true }),
  };
}

const STORES: Record<string, () => Place> = { sqlite };

function copyTree(from: string, to: string): void {
  for (const { name, isDirectory } of Deno.readDirSync(from)) {
    if (!isDirectory) Deno.copyFileSync(`${from}/${name}`, `${to}/${name}`);
    else {
      Deno.mkdirSync(`${to}/${name}`);
      copyTree(`${from}/${name}`, `${to}/${name}`);
    }
  }
}

const nextId = queueIdSource();
export const T0 = 1_800_000_000_000;

export function envelope(queueId = nextId(), arrived = T0): Envelope {
  const client = {
    name: "c.example",
    address: "192.0.2.1",
    port: 1234,
    helo: "c",
    protocol: "ESMTP",
  };
  return testEnvelope({ queueId, sender: "sender@example.com", arrived, client });
}

export function recipient(address: string, notify: Recipient["notify"] = []): Recipient {
  return { address, original: `orig-${address}`, orcpt: `rfc822;${address}`, notify };
}

export function batch(part: Partial<Batch>): Batch {
  return { added: [], outcomes: [], reported: [], moved: [], removed: [], ...part };
}

export const bytes = (text: string) => new TextEncoder().encode(text);

/** For each store: how a test of it is declared, and what a new owner finds after a crash. */
export function eachStore() {
  return Object.entries(STORES).map(([name, make]) => ({
    test(title: string, run: (store: QueueStore, place: Place) => Promise<void>): void {
      Deno.test(`${name} store: ${title}`, async () => {
        setSink(() => {});
        const place = make();
        try {
          await run(place.open(), place);
        } finally {
          place.destroy();
        }
      });
    },
    async reopened(place: Place, run: (store: QueueStore) => Promise<void>): Promise<void> {
      const copy = place.crash();
      try {
        await run(copy.open());
      } finally {
        copy.destroy();
      }
    },
  }));
}
