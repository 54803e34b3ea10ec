/** A file that changes while it is in use: by an editor, by a script, slowly. */

import { assertEquals, assertThrows } from "@std/assert";
import { StorageError } from "../errors.ts";
import { CHECK_MS, TICK_MS } from "./text_file.ts";
import { openTable } from "./table.ts";
import { Bench } from "./testing.ts";

/** A table of one file, read as roles read it, and what it says of `a` at each look. */
function watched(bench: Bench) {
  const path = bench.write("table", "a one\n");
  const table = openTable(`texthash:${path}`, { clock: bench.environment.clock });
  const look = () => {
    bench.now += CHECK_MS;
    return table.lookup("a");
  };
  return { path, look };
}

Deno.test("a file that is emptied and written again answers as before until it stays the same", () => {
  using bench = new Bench();
  const { look } = watched(bench);
  assertEquals(look(), "one");
  bench.write("table", "");
  assertEquals(look(), "one");
  bench.write("table", "b two\n");
  assertEquals(look(), "one");
  bench.write("table", "b two\na three\n");
  assertEquals([look(), look(), look()], ["one", "one", "three"]);
});

Deno.test("a file that is empty for good is an empty table", () => {
  using bench = new Bench();
  const { look } = watched(bench);
  assertEquals(look(), "one");
  bench.write("table", "");
  assertEquals([look(), look(), look()], ["one", "one", null]);
});

Deno.test("a file that was away fails until it is back and stays the same", () => {
  using bench = new Bench();
  const { path, look } = watched(bench);
  assertEquals(look(), "one");
  Deno.removeSync(path);
  assertThrows(look, StorageError, "no such file");
  bench.write("table", "");
  assertThrows(look, StorageError, "no such file");
  bench.write("table", "a two\n");
  assertThrows(look, StorageError, "no such file");
  assertThrows(look, StorageError, "no such file");
  assertEquals(look(), "two");
});

Deno.test("a file that was written long before anybody asked is taken at once", () => {
  using bench = new Bench();
  const { path, look } = watched(bench);
  assertEquals(look(), "one");
  bench.write("table", "a two\n");
  const then = new Date(Date.now() - 60_000);
  Deno.utimeSync(path, then, then);
  assertEquals(look(), "two");
});

Deno.test("a file that never stays the same is taken in the end", () => {
  using bench = new Bench();
  const { look } = watched(bench);
  const seen = new Set<unknown>([look()]);
  for (let n = 0; n < 40; n++) {
    bench.write("table", `a two\n${"#".repeat(n)}\n`);
    seen.add(look());
  }
  assertEquals([...seen], ["one", "two"]);
});

/** A file that was looked at so soon after it was written that it may be written again within the same tick. */
function seenFresh(bench: Bench) {
  for (;;) {
    const { path, look } = watched(bench);
    assertEquals(look(), "one");
    const mtime = Deno.statSync(path).mtime!;
    // A machine that does other things may come too late for the first look.
    if (Date.now() - mtime.getTime() < TICK_MS) return { path, look, mtime };
  }
}

Deno.test("a file that was read while it was written is read again, although it looks the same", () => {
  using bench = new Bench();
  const { path, look, mtime } = seenFresh(bench);
  bench.write("table", "a two\n");
  Deno.utimeSync(path, mtime, mtime);
  assertEquals([look(), look()].at(-1), "two");
});

Deno.test("a file that was away soon after it was written answers when it is back as it was", () => {
  using bench = new Bench();
  const { path, look } = seenFresh(bench);
  Deno.removeSync(path);
  assertThrows(look, StorageError, "no such file");
  bench.write("table", "a one\n");
  const then = new Date(Date.now() - 60_000);
  Deno.utimeSync(path, then, then);
  assertEquals(look(), "one");
});

Deno.test("a file whose time of change is to come is read once", () => {
  using bench = new Bench();
  const { path, look } = watched(bench);
  const later = new Date(Date.now() + 3_600_000);
  Deno.utimeSync(path, later, later);
  assertEquals(look(), "one");
  // What nobody can see from the time and the size tells whether it was read.
  bench.write("table", "a two\n");
  Deno.utimeSync(path, later, later);
  assertEquals([look(), look(), look()], ["one", "one", "one"]);
});
