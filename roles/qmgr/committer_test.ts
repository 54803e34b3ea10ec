import { assert, assertEquals, assertRejects } from "@std/assert";
import { StorageError } from "../../shared/errors.ts";
import { setSink } from "../../shared/log/log.ts";
import {
  type Batch,
  type Committed,
  DamagedRecord,
  type NewMessage,
} from "../../shared/queue/store.ts";
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

/** The queue ids of the messages that a batch is about. */
function idsOf({ added, outcomes, moved, removed }: Batch): string[] {
  return [
    ...added.map(({ envelope }) => envelope.queueId),
    ...[...outcomes, ...moved].map(({ queueId }) => queueId),
    ...removed,
  ];
}

/** A store that cannot change some messages. */
function unable(stub: Stub, error: Error, ...ids: string[]): void {
  stub.answer = (batch) =>
    idsOf(batch).some((id) => ids.includes(id)) ? Promise.reject(error) : Promise.resolve(NONE);
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

Deno.test("Committer refuses only that of the mail that meets a damaged page", async () => {
  const stub = new Stub(), committer = new Committer(stub);
  unable(stub, new DamagedRecord("malformed"), "b");
  const [first, refused, last] = ["a", "b", "c"].map((id) => committer.add(message(id)));
  await assertRejects(() => refused!, DamagedRecord);
  await Promise.all([first, last, committer.add(message("d"))]);
  await assertRejects(() => committer.add(message("b")), DamagedRecord);
  await committer.add(message("e"));
  assertEquals(stub.batches.map((each) => idsOf(each).join("")), [
    ...["abc", "a", "b", "c"],
    ...["d", "b", "e"],
  ]);
});

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

Deno.test("Committer sets aside what cannot be made while others can, and tries it alone", async () => {
  const warnings: string[] = [];
  setSink((_severity, text) => warnings.push(text));
  const stub = new Stub(), committer = new Committer(stub, RETRY_MS);
  unable(stub, new StorageError("input/output error"), "bad");
  let made = false;
  committer.change({ queueId: "bad", remove: true }).then(() => (made = true));
  await Promise.all([
    committer.add(message("new")),
    ...["a", "b", "c", "d", "e", "f", "g", "h"].map((queueId) =>
      committer.change({ queueId, remove: true })
    ),
  ]);
  const tries = () => stub.batches.filter((batch) => idsOf(batch).includes("bad"));
  const first = tries().length;
  while (tries().length < first + 2) {
    await committer.add(message("later"));
    await pause(5);
  }
  for (const batch of tries().slice(first)) assertEquals(idsOf(batch), ["bad"]);
  assertEquals([made, warnings], [false, ["bad: queue file write error: input/output error"]]);
  stub.answer = () => Promise.resolve(NONE);
  while (!made) await pause(5);
});

Deno.test("Committer pauses longer each time that a change fails while others succeed", async () => {
  setSink(() => {});
  const stub = new Stub(), committer = new Committer(stub, RETRY_MS);
  unable(stub, new StorageError("input/output error"), "bad");
  const made = committer.change({ queueId: "bad", remove: true });
  await committer.add(message("new"));
  const began = performance.now();
  const tries = () => stub.batches.filter((batch) => idsOf(batch).includes("bad")).length;
  const first = tries();
  while (tries() < first + 3) await pause(5);
  // Twice, four times and eight times as long.
  assert(performance.now() - began >= 12 * RETRY_MS);
  stub.answer = () => Promise.resolve(NONE);
  await made;
});

Deno.test("Committer makes the changes of one message in their order, though one waits", async () => {
  setSink(() => {});
  const stub = new Stub(), committer = new Committer(stub, RETRY_MS);
  unable(stub, new StorageError("input/output error"), "bad");
  const order: string[] = [];
  const change = (queueId: string, what: object, name: string) =>
    committer.change({ queueId, ...what }).then(() => order.push(name));
  const all = [
    change("bad", { outcomes: [outcome] }, "first"),
    change("a", { remove: true }, "another"),
  ];
  await all[1];
  all.push(change("bad", { move: { queue: "deferred", nextTry: 0 } }, "second"));
  await change("b", { remove: true }, "yet another");
  assertEquals(order, ["another", "yet another"]);
  stub.answer = () => Promise.resolve(NONE);
  await Promise.all(all);
  assertEquals(order.slice(2), ["first", "second"]);
});

Deno.test("Committer gives up what is damaged, and says so; everything else is made", async () => {
  const warnings: string[] = [];
  setSink((_severity, text) => warnings.push(text));
  const stub = new Stub(), committer = new Committer(stub, RETRY_MS);
  const damaged = new DamagedRecord("malformed");
  unable(stub, damaged, "bad", "worse");
  const changes = ["a", "bad", "b", "worse", "c", "d", "e", "f", "g"].map((queueId) =>
    committer.change({ queueId, remove: true })
  );
  await committer.add(message("new"));
  const nothing = undefined;
  assertEquals(
    await Promise.all(changes),
    [nothing, damaged, nothing, damaged, ...Array(5).fill(nothing)],
  );
  assertEquals(warnings.toSorted(), [
    "bad: damaged record: malformed",
    "worse: damaged record: malformed",
  ]);
  assertEquals(await committer.change({ queueId: "bad", remove: true }), damaged);
  await committer.add(message("next"));
});

Deno.test("Committer does not ask a broken disk about each of many changes", async () => {
  setSink(() => {});
  const stub = new Stub(), committer = new Committer(stub, RETRY_MS);
  stub.answer = () => Promise.reject(new StorageError("disk full"));
  const changes = Array.from(
    { length: 500 },
    (_, n) => committer.change({ queueId: `m${n}`, remove: true }),
  );
  await turn();
  await turn();
  assert(stub.batches.length < 10, `${stub.batches.length} tries`);
  stub.answer = () => Promise.resolve(NONE);
  await Promise.all(changes);
  assertEquals(stub.shapes.at(-1), "0 0 0 500");
});

Deno.test("changeOnce() does not wait for a disk that is broken", async () => {
  setSink(() => {});
  const stub = new Stub(), committer = new Committer(stub, RETRY_MS);
  stub.answer = () => Promise.reject(new StorageError("disk full"));
  const failure = await committer.changeOnce({ queueId: "a", remove: true });
  assertEquals(failure?.message, "disk full");
  stub.answer = () => Promise.resolve(NONE);
  await pause(3 * RETRY_MS);
  assertEquals(stub.batches.length, 1);
});

Deno.test("Committer takes an error of our own for no trouble of the disk: the role ends", async () => {
  const stub = new Stub(), committer = new Committer(stub, RETRY_MS);
  stub.answer = () => Promise.reject(new TypeError("not a function"));
  const ended = new Promise((resolve) =>
    globalThis.addEventListener("unhandledrejection", (event) => {
      event.preventDefault();
      resolve(event.reason);
    }, { once: true })
  );
  committer.change({ queueId: "a", remove: true });
  assertEquals(String(await ended), "TypeError: not a function");
  await pause(3 * RETRY_MS);
  assertEquals(stub.batches.length, 1);
});
