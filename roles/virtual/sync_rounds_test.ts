import { assert, assertEquals, assertRejects } from "@std/assert";
import { until } from "../../tests/support/waiting.ts";
import { SyncRounds } from "./sync_rounds.ts";

/** A disk whose syncs end when the test says so. */
class SlowDisk {
  /** What has begun, in order: a descriptor or a path. */
  begun: string[] = [];
  #open = new Map<string, PromiseWithResolvers<void>[]>();
  rounds: SyncRounds;

  constructor(patienceMs = 60_000) {
    this.rounds = new SyncRounds({
      file: (descriptor) => this.#begin(`${descriptor}`),
      directory: (path) => this.#begin(path),
    }, patienceMs);
  }

  #begin(what: string): Promise<void> {
    this.begun.push(what);
    const sync = Promise.withResolvers<void>();
    this.#open.set(what, [...this.#open.get(what) ?? [], sync]);
    return sync.promise;
  }

  /** Ends the oldest sync of that; it fails where there is an error. */
  end(what: string, error?: Error): void {
    const sync = this.#open.get(what)!.shift()!;
    if (error) sync.reject(error);
    else sync.resolve();
  }

  /** Waits until so many have begun, and a moment more for those that should not. */
  async began(count: number): Promise<string[]> {
    await until(() => this.begun.length >= count);
    for (let turns = 0; turns < 3; turns++) await new Promise((go) => setImmediate(go));
    return this.begun;
  }
}

Deno.test("a round begins when the one before it is over, with all that came meanwhile", async () => {
  const disk = new SlowDisk(), { rounds } = disk;
  const first = [rounds.file(1), rounds.file(2)];
  assertEquals(await disk.began(2), ["1", "2"]);
  const second = [rounds.file(3), rounds.directory("/a")];
  disk.end("1");
  await first[0];
  assertEquals(await disk.began(2), ["1", "2"]);
  disk.end("2");
  await first[1];
  assertEquals(await disk.began(4), ["1", "2", "3", "/a"]);
  for (const each of ["/a", "3"]) disk.end(each);
  await Promise.all(second);
});

Deno.test("directory() shares one sync among all who ask before it begins", async () => {
  const disk = new SlowDisk(), { rounds } = disk;
  const first = rounds.directory("/a");
  assertEquals(await disk.began(1), ["/a"]);
  const later = [rounds.directory("/a"), rounds.directory("/a"), rounds.directory("/b")];
  disk.end("/a");
  await first;
  assertEquals(await disk.began(3), ["/a", "/a", "/b"]);
  for (const each of ["/a", "/b"]) disk.end(each);
  await Promise.all(later);
});

Deno.test("a directory's failed sync fails those who wait for its next one, and nobody else", async () => {
  const disk = new SlowDisk(), { rounds } = disk;
  const first = rounds.directory("/a");
  await disk.began(1);
  const next = rounds.directory("/a"), other = rounds.directory("/b"), file = rounds.file(1);
  disk.end("/a", new Error("EIO"));
  await assertRejects(() => first, Error, "EIO");
  await assertRejects(() => next, Error, "EIO");
  assertEquals(await disk.began(3), ["/a", "/b", "1"]);
  const again = rounds.directory("/a");
  for (const each of ["/b", "1"]) disk.end(each);
  await Promise.all([other, file]);
  await disk.began(4);
  disk.end("/a");
  await again;
});

Deno.test("one sync that hangs holds up the others for no longer than a round's patience", async () => {
  const disk = new SlowDisk(20), { rounds } = disk;
  const hanging = rounds.file(1);
  await disk.began(1);
  const other = rounds.file(2);
  assertEquals(await disk.began(2), ["1", "2"]);
  disk.end("2");
  await other;
  // It belongs to no round any more: its end begins nothing twice.
  const third = rounds.file(3);
  assertEquals(await disk.began(3), ["1", "2", "3"]);
  const fourth = rounds.file(4);
  disk.end("1");
  await hanging;
  disk.end("3");
  await third;
  await disk.began(4);
  disk.end("4");
  await fourth;
  assertEquals(disk.begun, ["1", "2", "3", "4"]);
});

Deno.test("a bounded number of syncs is under way at once, and all are made", async () => {
  const disk = new SlowDisk(1), { rounds } = disk;
  const all = Array.from({ length: 200 }, (_, n) => rounds.file(n));
  // However often patience ends.
  await new Promise((resolve) => setTimeout(resolve, 50));
  assertEquals((await disk.began(64)).length, 64);
  for (let n = 0; n < 200; n++) {
    await until(() => disk.begun.length > n);
    assert(disk.begun.length <= n + 64);
    disk.end(`${n}`);
  }
  await Promise.all(all);
});

Deno.test("what cannot begin fails, and the next round begins", async () => {
  const rounds = new SyncRounds();
  await assertRejects(() => rounds.directory("/nowhere/at/all"), Error, "ENOENT");
  await rounds.directory(Deno.cwd());
});
