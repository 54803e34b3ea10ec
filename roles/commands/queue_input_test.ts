/** What people and programs hand the queue's commands: ids on standard input and command lines, and listings. */

import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { PeerError } from "../../shared/errors.ts";
import { Listed } from "../../shared/protocols/queue.ts";
import { MAX_LINE_BYTES } from "../../shared/queue/show.ts";
import { Check } from "typebox/schema";
import { fakeIo } from "../../tests/support/fake_io.ts";
import { near } from "../../tests/support/hostile.ts";
import { worked } from "../../tests/support/work.ts";
import { postqueue } from "./postqueue.ts";
import { postsuper } from "./postsuper.ts";
import { listedLines } from "./queue_access.ts";

// deno-lint-ignore no-control-regex
const UNPRINTABLE = /[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\u2028]/;
const ID = "4jWb0l24cGzJDLg";

/** Runs a command on a queue that nobody has used yet; nothing that it says may move a cursor. */
async function run(
  command: typeof postsuper,
  args: string[],
  input = "",
): Promise<{ code: number; err: string }> {
  const io = fakeIo("", input);
  try {
    const code = await command(args, io);
    assert(!UNPRINTABLE.test(io.written.err), JSON.stringify(io.written.err));
    return { code, err: io.written.err };
  } finally {
    io.remove();
  }
}

Deno.test("postsuper takes each line of standard input for an id, or names it", async () => {
  const input = near(ID, "ALL", "\n", " ", "\t", "-", "*", ";", "a", "/", "\r\n");
  await fc.assert(
    fc.asyncProperty(input, async (input) => {
      const { code, err } = await run(postsuper, ["-d", "-"], input);
      const wanted = input.split("\n").map((line) => line.trim()).filter(Boolean);
      const wrong = wanted.filter((each) => !/^[0-9A-Za-z]{1,40}$/.test(each)).length;
      assertEquals([code, err.split("\n").length], [0, wrong + 2]);
      assertEquals(err.split(/^postsuper: warning: invalid mail queue id: /m).length, wrong + 1);
      assert(err.endsWith("postsuper: Deleted: 0 messages\n"));
    }),
    { numRuns: 60 },
  );
});

Deno.test("postsuper takes no id that ends in half a character", async () => {
  const io = { ...fakeIo(), input: new Blob([ID, new Uint8Array([0xe2, 0x84])]).stream() };
  assertEquals(await postsuper(["-d", "-"], io as Parameters<typeof postsuper>[1]), 0);
  assert(io.written.err.startsWith(`postsuper: warning: invalid mail queue id: ${ID}?\n`));
  io.remove();
});

Deno.test("postsuper reads a megabyte of ids, and a line of a megabyte, in time", async () => {
  const began = worked();
  const { code, err } = await run(postsuper, ["-d", "-"], "x".repeat(1e6));
  assertEquals([code, err.split("\n").length], [0, 3]);
  assertEquals((await run(postsuper, ["-d", "-"], `${"\n \r\t".repeat(25e4)}-`)).code, 0);
  assert(worked() - began < 10_000);
});

Deno.test("postsuper and postqueue read any command line, or say how they are used", async () => {
  const word = fc.oneof(
    fc.constantFrom(
      "-d",
      "-h",
      "-H",
      "-r",
      "-i",
      "-s",
      "-v",
      "-f",
      "-x",
      "ALL",
      ID,
      "hold",
      "[a.test]:25",
    ),
    fc.constantFrom("__proto__", "constructor", "-dconstructor", "--", "-", ""),
    near("-", "d", "s", "a.test", "[", "]", ":"),
  ).filter((word) => !word.startsWith("-c"));
  await fc.assert(
    fc.asyncProperty(fc.array(word, { maxLength: 4 }), fc.boolean(), async (args, either) => {
      const { code } = await run(either ? postsuper : postqueue, args);
      assert([0, 1, 64, 69].includes(code), `${code}`);
    }),
    { numRuns: 150 },
  );
});

/** What a listing of these bytes, cut at will, has; PeerError for what is none. */
async function listed(bytes: Uint8Array, cut: number): Promise<Listed[] | undefined> {
  const chunks = async function* () {
    for (let at = 0; at < bytes.length; at += cut) {
      yield await Promise.resolve(bytes.subarray(at, at + cut));
    }
  };
  try {
    return await Array.fromAsync(listedLines(chunks()));
  } catch (error) {
    if (error instanceof PeerError) return undefined;
    throw error;
  }
}

Deno.test("listedLines() has messages of the declared shape, or PeerError, for any bytes", async () => {
  const text = near('{"queue_id":"A"}', "{}", "[]", "\n", "null", '"', '{"__proto__":', "1").map((
    text,
  ) => new TextEncoder().encode(text));
  const bytes = fc.oneof(text, fc.uint8Array({ maxLength: 100 }));
  await fc.assert(fc.asyncProperty(bytes, fc.integer({ min: 1, max: 50 }), async (bytes, cut) => {
    assert((await listed(bytes, cut) ?? []).every((each) => Check(Listed, each)));
  }));
});

Deno.test("listedLines() gives up a line that never ends, and nesting without end", async () => {
  assertEquals(await listed(new Uint8Array(MAX_LINE_BYTES + 2).fill(32), 65_536), undefined);
  assertEquals(await listed(new TextEncoder().encode(`${"[".repeat(1e6)}\n`), 65_536), undefined);
});
