import { assertEquals, assertRejects } from "@std/assert";
import { StorageError } from "../../shared/errors.ts";
import { setSink } from "../../shared/log/log.ts";
import type { Batch, Committed, NewMessage } from "../../shared/queue/store.ts";
import { Committer } from "./committer.ts";
import { pause } from "../../tests/support/waiting.ts";

const NONE: Committed = { refused: new Set(), already: new Map() };

/** A store that notes batches, and does with them what the test says. */
class Stub {
  batches: Batch[] = [];
  answer: (batch: Batch) => Promise<Committed> = () => Promise.resolve(NONE);

  commit(batch: Batch): Promise<Committed> {
    this.batches.push(batch);
    return this.answer(batch);
  }

  /** What the batches held, in short. */
  get shapes(): string[] {
    return this.batches.map(({ added, outcomes, moved, removed }) =>
      `${added.length} ${outcomes.length} ${moved.length} ${removed.length}`
    );
  }
}

const message = (queueId: string) => ({ envelope: { queueId } }) as NewMessage;
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
const outcome = {
  n: 0,
  status: "sent",
  dsn: "2.0.0",
  text: "",
  remoteMta: "",
  diagnostic: "",
} as const;

Deno.test("Committer commits together what comes in one turn", async () => {
  const stub = new Stub(), committer = new Committer(stub);
  await Promise.all([
    committer.add(message("a")),
    committer.add(message("b")),
    committer.change({ queueId: "c", outcomes: [outcome] }),
    committer.change({ queueId: "d", remove: true }),
    committer.change({ queueId: "e", move: { queue: "hold", nextTry: 0 } }),
  ]);
  assertEquals(stub.shapes, ["2 1 1 1"]);
});

Deno.test("Committer answers nobody before the commit", async () => {
  const stub = new Stub(), committer = new Committer(stub);
  let finish!: (committed: Committed) => void;
  stub.answer = () => new Promise((resolve) => (finish = resolve));
  let durable = false;
  const added = committer.add(message("a")).then(() => (durable = true));
  await turn();
  await turn();
  assertEquals([stub.batches.length, durable], [1, false]);
  finish(NONE);
  await added;
});

Deno.test("Committer collects the next batch while a commit runs", async () => {
  const stub = new Stub(), committer = new Committer(stub);
  let finish!: (committed: Committed) => void;
  stub.answer = () => new Promise((resolve) => (finish = resolve));
  const all = [committer.add(message("a"))];
  await turn();
  for (const queueId of ["b", "c", "d"]) {
    all.push(committer.add(message(queueId)));
    await turn();
  }
  assertEquals(stub.shapes, ["1 0 0 0"]);
  finish(NONE);
  await turn();
  await turn();
  assertEquals(stub.shapes, ["1 0 0 0", "3 0 0 0"]);
  finish(NONE);
  await Promise.all(all);
});

Deno.test("Committer refuses a message whose id is taken, and only that", async () => {
  const stub = new Stub(), committer = new Committer(stub);
  stub.answer = () => Promise.resolve({ ...NONE, refused: new Set(["a"]) });
  const refused = committer.add(message("a")), taken = committer.add(message("b"));
  await assertRejects(() => refused, StorageError, "a: the queue id is taken");
  await taken;
});

/** Shorter than in earnest. */
const RETRY_MS = 30;

Deno.test("Committer commits changes without the mail that does not fit", async () => {
  setSink(() => {});
  const stub = new Stub(), committer = new Committer(stub, RETRY_MS);
  stub.answer = ({ added }) =>
    added.length ? Promise.reject(new StorageError("disk full")) : Promise.resolve(NONE);
  const added = committer.add(message("a"));
  const removed = committer.change({ queueId: "b", remove: true });
  await assertRejects(() => added, StorageError, "disk full");
  await removed;
  assertEquals(stub.shapes, ["1 0 0 1", "0 0 0 1"]);
  await pause(2 * RETRY_MS);
});

Deno.test("Committer keeps changes until the disk works again, and refuses mail so long", async () => {
  setSink(() => {});
  const stub = new Stub(), committer = new Committer(stub, RETRY_MS);
  stub.answer = () => Promise.reject(new StorageError("input/output error"));
  let durable = 0;
  committer.change({ queueId: "a", outcomes: [outcome] }).then(() => durable++);
  await turn();
  await turn();
  await assertRejects(() => committer.add(message("m")), StorageError, "input/output error");
  committer.change({ queueId: "b", remove: true }).then(() => durable++);
  while (stub.batches.length < 3) await pause(5);
  assertEquals(durable, 0);
  stub.answer = () => Promise.resolve(NONE);
  while (durable < 2) await pause(5);
  assertEquals(stub.shapes.at(-1), "0 1 0 1");
  await committer.add(message("m"));
});
