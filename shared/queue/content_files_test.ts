import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { concat } from "../bytes.ts";
import { StorageError } from "../errors.ts";
import { once } from "../ipc/content.ts";
import { namesIn } from "../../tests/support/files.ts";
import { until } from "../../tests/support/waiting.ts";
import { queueIdSource } from "../mail/queue_id.ts";
import { ContentFiles } from "./content_files.ts";
import { DamagedRecord } from "./store.ts";

const nextId = queueIdSource();
const text = (bytes: number, fill: string) => new Uint8Array(bytes).fill(fill.charCodeAt(0));

async function collect(source: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of source) parts.push(part);
  return concat(parts);
}

function test(title: string, run: (files: ContentFiles) => Promise<void>): void {
  Deno.test(title, async () => {
    const directory = Deno.makeTempDirSync();
    const files = new ContentFiles(`${directory}/content`);
    files.prepare();
    try {
      await run(files);
    } finally {
      Deno.removeSync(directory, { recursive: true });
    }
  });
}

test("write() writes over a removed file, and nothing of that one is read again", async (files) => {
  const [first, second] = [nextId(), nextId()];
  await files.write(first, once(text(700_000, "a")));
  files.remove(first);
  await files.write(second, once(text(300_000, "b")));
  assertEquals(namesIn(files.directory), [second]);
  assertEquals(await collect(files.read(second, 300_000)), text(300_000, "b"));
});

test("remove() leaves a file that is being read to its reader", async (files) => {
  const [first, second] = [nextId(), nextId()];
  await files.write(first, once(text(700_000, "a")));
  const reading = files.read(first, 700_000)[Symbol.asyncIterator]();
  const begun = await reading.next();
  files.remove(first);
  await files.write(second, once(text(700_000, "b")));
  const rest = await collect({ [Symbol.asyncIterator]: () => reading });
  assertEquals(concat([begun.value!, rest]), text(700_000, "a"));
});

test("another process never reads the next message's bytes as those of one that is gone", async (files) => {
  const [first, second] = [nextId(), nextId()];
  await files.write(first, once(text(700_000, "a")));
  const other = new ContentFiles(files.directory, false);
  const reading = other.read(first, 700_000)[Symbol.asyncIterator]();
  await reading.next();
  files.remove(first);
  await files.write(second, once(text(700_000, "b")));
  await assertRejects(() => reading.next(), StorageError, "it has gone");
  assertEquals(await collect(other.read(second, 700_000)), text(700_000, "b"));
});

test("remove() keeps no more than 64 MiB, and no file that is large", async (files) => {
  const ids = Array.from({ length: 20 }, nextId);
  for (const id of ids) await files.write(id, once(text(4_000_000, "a")));
  for (const id of ids) files.remove(id);
  await until(() => namesIn(files.directory).length === 16);
  files.clear();
  assertEquals(namesIn(files.directory), []);
  const large = nextId();
  await files.write(large, once(text(5_000_000, "a")));
  files.remove(large);
  await until(() => namesIn(files.directory).length === 0);
});

test("sweep() removes what a crash left of removed files", async (files) => {
  const id = nextId();
  await files.write(id, once(text(10, "a")));
  files.remove(id);
  assertEquals(new ContentFiles(files.directory).sweep(() => true), 1);
  assertEquals(namesIn(files.directory), []);
});

test("sweep() leaves directories alone", async (files) => {
  Deno.mkdirSync(`${files.directory}/lost+found/x`, { recursive: true });
  const id = nextId();
  await files.write(id, once(text(10, "a")));
  assertEquals(files.sweep(() => false), 1);
  assertEquals(namesIn(files.directory), ["lost+found"]);
});

test("write() leaves no file under the id when its source fails", async (files) => {
  const [first, second] = [nextId(), nextId()];
  await files.write(first, once(text(10, "a")));
  files.remove(first);
  // deno-lint-ignore require-yield
  const failing = async function* () {
    throw await Promise.resolve(new Error("gone"));
  };
  await assertRejects(() => files.write(second, failing()), Error, "gone");
  assertEquals(namesIn(files.directory).filter((name) => !name.startsWith("spare-")), []);
});

test("write() refuses an id that is taken, and leaves that one's file", async (files) => {
  const [first, second] = [nextId(), nextId()];
  await files.write(first, once(text(10, "a")));
  await files.write(second, once(text(10, "b")));
  files.remove(second);
  await assertRejects(() => files.write(first, once(text(10, "c"))), StorageError, "exists");
  await assertRejects(() => files.write(first, once(text(10, "c"))), StorageError, "exists");
  assertEquals(await collect(files.read(first, 10)), text(10, "a"));
});

test("write() makes a new file when those that it kept have gone", async (files) => {
  const ids = Array.from({ length: 3 }, nextId);
  for (const id of ids) await files.write(id, once(text(10, "a")));
  for (const id of ids) files.remove(id);
  for (const name of namesIn(files.directory)) Deno.removeSync(`${files.directory}/${name}`);
  const next = nextId();
  await files.write(next, once(text(10, "b")));
  assertEquals(await collect(files.read(next, 10)), text(10, "b"));
  assertEquals(namesIn(files.directory), [next]);
});

test("write() makes a new file when it cannot open the one that it kept", async (files) => {
  const [first, second] = [nextId(), nextId()];
  await files.write(first, once(Deno.readFileSync("/bin/sleep")));
  const path = `${files.directory}/${first}`;
  Deno.chmodSync(path, 0o700);
  // Nobody, root included, may write to a program that runs.
  const child = new Deno.Command(path, { args: ["60"] }).spawn();
  files.remove(first);
  try {
    await files.write(second, once(text(10, "a")));
    assertEquals(await collect(files.read(second, 10)), text(10, "a"));
    assertEquals(Deno.statSync(`${files.directory}/${second}`).size, 10);
    assertEquals(namesIn(files.directory), [second]);
  } finally {
    child.kill();
    await child.status;
  }
});

test("read() finds a file that is shorter than it was written", async (files) => {
  const id = nextId();
  await files.write(id, once(text(10, "a")));
  assertThrows(() => files.read(id, 11), DamagedRecord, "10 bytes instead of 11");
});

test("write() writes each piece as it comes", async (files) => {
  const id = nextId();
  async function* pieces() {
    for (const each of ["a", "b", "c"]) {
      yield await Promise.resolve(text(1000, each));
      await until(() => Deno.statSync(`${files.directory}/${id}`).size >= 1000);
    }
  }
  assertEquals(await files.write(id, pieces()), 3000);
  assertEquals(
    await collect(files.read(id, 3000)),
    concat([text(1000, "a"), text(1000, "b"), text(1000, "c")]),
  );
});
