import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { hasSmallDisks, SmallDisk } from "../../tests/support/disk.ts";
import { namesIn } from "../../tests/support/files.ts";
import { StorageError } from "../errors.ts";
import { type Piece, readPiece, SEGMENT_BYTES, Segments } from "./segments.ts";
import { DamagedRecord, FullDisk } from "./store.ts";

const SIZE = 100_000;
/** How many of these a segment takes. */
const FITTING = Math.floor(SEGMENT_BYTES / SIZE);

let made = 0;

/** A content that is like no other. */
function content(size = SIZE): readonly [string, Uint8Array] {
  return [`ID${++made}`, new Uint8Array(size).fill(made % 251 + 1)];
}

class World {
  readonly clock = { ms: 0 };
  readonly directory: string;
  segments: Segments;

  constructor(root: string) {
    this.directory = `${root}/segments`;
    this.segments = this.open();
    this.segments.prepare();
  }

  open(): Segments {
    return new Segments(this.directory, () => this.clock.ms);
  }

  async write(count: number, size?: number): Promise<Piece[]> {
    return await this.segments.write(Array.from({ length: count }, () => content(size)));
  }

  get files(): string[] {
    return namesIn(this.directory).toSorted((a, b) => Number(a) - Number(b));
  }
}

function test(title: string, run: (world: World) => Promise<void>): void {
  Deno.test(title, async () => {
    const root = Deno.makeTempDirSync();
    try {
      await run(new World(root));
    } finally {
      Deno.removeSync(root, { recursive: true });
    }
  });
}

/** Until a removal that nobody waits for is made. */
async function until(made: () => boolean): Promise<void> {
  for (let i = 0; i < 500 && !made(); i++) await new Promise((done) => setTimeout(done, 10));
  assert(made());
}

test("write() keeps contents of any length, each where it says, for nobody else", async (world) => {
  const contents = [content(1), content(SIZE), content(SEGMENT_BYTES + 5), content(33_000)];
  const pieces = await world.segments.write(contents);
  for (const [n, piece] of pieces.entries()) {
    assertEquals(piece.queueId, contents[n]![0]);
    assertEquals(readPiece(world.directory, piece), contents[n]![1]);
  }
  for (const file of world.files) {
    assertEquals(Deno.statSync(`${world.directory}/${file}`).mode! & 0o777, 0o600);
  }
});

test("write() at the same time mixes nothing", async (world) => {
  const contents = Array.from({ length: 100 }, () => [content(), content(40_000)]);
  const pieces = await Promise.all(contents.map((each) => world.segments.write(each)));
  for (const [n, pair] of pieces.entries()) {
    for (const [m, piece] of pair.entries()) {
      assertEquals(readPiece(world.directory, piece), contents[n]![m]![1]);
    }
  }
});

test("segments that no message needs are written over, under another number", async (world) => {
  const kept = await world.write(1);
  const before = readPiece(world.directory, kept[0]!);
  let last: Piece | undefined;
  for (let i = 0; i < 10 * FITTING; i++) {
    const [piece] = await world.write(1);
    if (last) world.segments.release(last);
    last = piece;
  }
  assert(last!.segment >= 10, `segment ${last!.segment}`);
  const { files } = world;
  assert(files.length <= 3, `${files}`);
  assertEquals([files[0], files.at(-1)], [`${kept[0]!.segment}`, `${last!.segment}`]);
  assertEquals(readPiece(world.directory, kept[0]!), before);
});

test("a reader never gets the next message's bytes as those of one that is gone", async (world) => {
  const pieces = await world.write(FITTING);
  for (const piece of pieces) world.segments.release(piece);
  // Another one begins, this one is to be had; then it is written over.
  await world.write(FITTING);
  await world.write(1);
  assertThrows(() => readPiece(world.directory, pieces[0]!), DamagedRecord);
});

test("clear() gives back all that no message needs, and what comes next has a place", async (world) => {
  const pieces = await world.write(2 * FITTING + 1);
  for (const piece of pieces) world.segments.release(piece);
  world.segments.clear();
  assertEquals(world.files, []);
  const [kept] = await world.write(1);
  world.segments.clear();
  assertEquals(world.files, [`${kept!.segment}`]);
});

test("what keeps no more than 64 MiB of free segments removes the others", async (world) => {
  const pieces = await world.write(20 * FITTING);
  for (const piece of pieces) world.segments.release(piece);
  // And the one that is written to.
  await until(() => world.files.length <= 17);
});

test("a segment that cannot be opened any more keeps nobody from writing", async (world) => {
  const [kept] = await world.write(1);
  Deno.removeSync(`${world.directory}/${kept!.segment}`);
  await assertRejects(() => world.write(1), StorageError, "No such file");
  const [next] = await world.write(1);
  assertEquals(readPiece(world.directory, next!).length, SIZE);
});

test("a directory that could not be synced leaves nothing in segments that it names", async (world) => {
  const { sync } = Deno.FsFile.prototype;
  let syncs = 0;
  try {
    Deno.FsFile.prototype.sync = async () => {
      await new Promise((done) => setTimeout(done, 20));
      if (++syncs === 1) throw new Error("Input/output error");
    };
    const both = await Promise.allSettled([world.write(1), world.write(1)]);
    assertEquals(both.map(({ status }) => status), ["rejected", "rejected"]);
  } finally {
    Deno.FsFile.prototype.sync = sync;
  }
  const [next] = await world.write(1);
  assertEquals([next!.segment, next!.at], [2, 0]);
});

test("a start takes other names for what they are", async (world) => {
  const [piece] = await world.write(1);
  for (const name of ["999999999999999", "1e3", "007", "-1", "0", " 2"]) {
    Deno.writeTextFileSync(`${world.directory}/${name}`, "");
  }
  world.segments = world.open();
  world.segments.adopt(piece!);
  assertEquals(world.segments.sweep(), 6);
  const [next] = await world.write(1);
  assertEquals([piece!.segment, next!.segment], [1, 2]);
});

test("release() of what is not there, or a second time, changes nothing", async (world) => {
  const [piece, other] = await world.write(2);
  for (const each of [piece!, piece!, { ...other! }]) world.segments.release(each);
  assertEquals(readPiece(world.directory, other!).length, SIZE);
  await world.write(FITTING);
  assertEquals(readPiece(world.directory, other!).length, SIZE);
});

test("sparse() names what is left of a segment when it was so for ten seconds, until it is moved", async (world) => {
  const pieces = await world.write(FITTING), some = await world.write(FITTING);
  await world.write(1);
  const few = Math.floor(SEGMENT_BYTES / 8 / SIZE);
  for (const piece of pieces.slice(few)) world.segments.release(piece);
  for (const piece of some.slice(few + 2)) world.segments.release(piece);
  assertEquals(world.segments.sparse(), []);
  world.clock.ms = 9_999;
  assertEquals(world.segments.sparse(), []);
  world.clock.ms = 10_000;
  assertEquals(world.segments.sparse(), pieces.slice(0, few));
  assertEquals(world.segments.sparse(), []);
  world.clock.ms = 20_000;
  assertEquals(world.segments.sparse(), pieces.slice(0, few));
  for (const piece of pieces.slice(0, few)) world.segments.release(piece);
  world.clock.ms = 60_000;
  assertEquals(world.segments.sparse(), []);
});

test("sparse() passes by segments that are empty by then", async (world) => {
  const pieces = await world.write(FITTING), others = await world.write(FITTING);
  await world.write(1);
  for (const piece of [...pieces.slice(1), ...others.slice(1)]) world.segments.release(piece);
  world.segments.release(pieces[0]!);
  world.clock.ms = 20_000;
  assertEquals(world.segments.sparse(), [others[0]!]);
});

test("a start removes segments that no message names, and leaves the others as they are", async (world) => {
  const pieces = await world.write(3 * FITTING), named = pieces[FITTING]!;
  Deno.writeTextFileSync(`${world.directory}/what is this`, "");
  Deno.mkdirSync(`${world.directory}/lost+found`);
  const bytes = readPiece(world.directory, named);
  world.segments = world.open();
  world.segments.adopt(named);
  assertEquals(world.segments.sweep(), 3);
  assertEquals(world.files.filter((name) => name !== "lost+found"), [`${named.segment}`]);
  const [next] = await world.write(1);
  assert(next!.segment > named.segment);
  assertEquals(readPiece(world.directory, named), bytes);
  world.clock.ms = 10_000;
  assertEquals(world.segments.sparse(), [named]);
});

test("a start at which not everything can be read leaves every segment as it is", async (world) => {
  const pieces = await world.write(2 * FITTING);
  world.segments = world.open();
  world.segments.keepAll();
  await world.write(2 * FITTING);
  for (const piece of pieces) assertEquals(readPiece(world.directory, piece).length, SIZE);
});

test("readPiece() finds what is cut short or gone", async (world) => {
  const [piece, last] = await world.write(2), path = `${world.directory}/${piece!.segment}`;
  Deno.truncateSync(path, last!.at + 10);
  assertEquals(readPiece(world.directory, piece!).length, SIZE);
  assertThrows(() => readPiece(world.directory, last!), DamagedRecord, "99990 bytes are missing");
  const absurd = { ...piece!, size: 1e15 };
  assertThrows(() => readPiece(world.directory, absurd), DamagedRecord, "are missing");
  assertThrows(() => readPiece(world.directory, { ...piece!, at: -1 }), StorageError);
  Deno.removeSync(path);
  assertThrows(() => readPiece(world.directory, piece!), DamagedRecord, "No such file");
});

test("a sync that fails keeps nothing, and what was there before", async (world) => {
  const [kept] = await world.write(1);
  const { syncData } = Deno.FsFile.prototype;
  try {
    Deno.FsFile.prototype.syncData = () => Promise.reject(new Error("Input/output error"));
    await assertRejects(() => world.write(2), StorageError, "Input/output error");
  } finally {
    Deno.FsFile.prototype.syncData = syncData;
  }
  const [next] = await world.write(1);
  assert(next!.segment > kept!.segment);
  assertEquals(readPiece(world.directory, kept!).length, SIZE);
});

Deno.test({
  name: "write() on a full disk keeps nothing, and goes on when there is room",
  ignore: !hasSmallDisks,
  async fn() {
    using disk = new SmallDisk();
    const world = new World(disk.directory);
    const [kept] = await world.write(1);
    disk.fill(SIZE);
    await assertRejects(() => world.write(3), FullDisk, "No space left");
    assertEquals(readPiece(world.directory, kept!).length, SIZE);
    disk.empty();
    const free = disk.free;
    for (const piece of await world.write(3)) {
      assertEquals(readPiece(world.directory, piece).length, SIZE);
      world.segments.release(piece);
    }
    world.segments.clear();
    assert(disk.free >= free, `${free - disk.free} bytes are still in use`);
  },
});
