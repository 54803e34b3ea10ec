/** What the commands read from standard input and command lines that no other test here throws anything at. */

import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { fakeIo } from "../../tests/support/fake_io.ts";
import { assertQuick, attempt, disguised, near } from "../../tests/support/hostile.ts";
import { listedName } from "./full_name.ts";
import { inputLines } from "./input_lines.ts";
import { postlog } from "./postlog.ts";
import { HeaderRecipients } from "./sendmail_header.ts";
import { parseSendmail, UsageError } from "./sendmail_options.ts";
import { postconf } from "./postconf.ts";

// deno-lint-ignore no-control-regex
const UNPRINTABLE = /[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\u2028]/;

async function logged(args: string[], input: string): Promise<{ code: number; lines: string[] }> {
  const io = fakeIo("", input);
  try {
    const code = await postlog(args, io);
    assert(!UNPRINTABLE.test(io.written.err), JSON.stringify(io.written.err));
    return { code, lines: io.written.err.split("\n").slice(0, -1) };
  } finally {
    io.remove();
  }
}

Deno.test("postlog makes one printable line of bounded length of each line that it reads", async () => {
  const input = near("text", "\n", "\r", "warning: ", "postfix/smtpd[1]: ");
  await fc.assert(
    fc.asyncProperty(input, async (input) => {
      const { code, lines } = await logged([], input);
      const given = input.split("\n");
      assertEquals([code, lines.length], [0, given.length - (given.at(-1) ? 0 : 1)]);
      assert(
        lines.every((line) => /^postfix\/postlog: |^postlog: /.test(line) || line.length < 2500),
      );
    }),
    { numRuns: 50 },
  );
});

Deno.test("postlog cuts a line that never ends", async () => {
  const { lines } = await logged([], "x".repeat(3e6));
  assertEquals(lines.length, 1);
  assert(lines[0]!.length < 3000);
});

Deno.test("postlog and postconf read any command line, or say how they are used", async () => {
  const word = fc.oneof(
    fc.constantFrom(
      "-p",
      "-t",
      "-i",
      "-v",
      "-n",
      "-d",
      "-h",
      "-M",
      "-p__proto__",
      "constructor",
      "--",
    ),
    near("-", "info", "mail.", ".", "p", "smtp"),
  ).filter((word) => !word.startsWith("-c"));
  await fc.assert(
    fc.asyncProperty(fc.array(word, { maxLength: 4 }), async (args) => {
      assert([0, 1].includes((await logged(args, "")).code));
      const io = fakeIo();
      try {
        assert([0, 1, 64, 78].includes(await postconf(args, io)));
      } finally {
        io.remove();
      }
    }),
    { numRuns: 60 },
  );
});

Deno.test("sendmail's options take nothing that only looks like a word of theirs", () => {
  for (const word of [...disguised("SUCCESS"), ...disguised("DELAY,SUCCESS")]) {
    assertEquals(parseSendmail(["-N", word, "a@x"]).notify, []);
  }
  for (const word of disguised("HDRS")) assertEquals(parseSendmail(["-R", word, "a@x"]).ret, "");
});

Deno.test("sendmail's options and the header of -t take time in proportion to their text", () => {
  const parts = ["a", ",", " ", "=", "never,", "+", '"', "(", "<", "a. ", "a@b,"];
  for (const option of ["-N", "-R", "-V", "-O", "-F", "-q", "-f"]) {
    assertQuick((text) => parseSendmail([option, text, "a@x"]), parts, { declared: [UsageError] });
  }
  assertQuick(
    (text) => {
      const recipients = new HeaderRecipients();
      for (const line of text.split("\n")) recipients.take(line);
      return recipients.addresses;
    },
    [...parts, "\n ", "\n\t,", "To: a@b\n", "Resent-", ":"],
    { around: ["", "To: ", "Bcc:"] },
  );
  assert(attempt(() => parseSendmail(["-bz"]), UsageError) === undefined);
});

Deno.test("listedName() has the full name of a user, or nothing, whatever the list of users says", () => {
  const users = near("joe", ":", "x", "1000", "Joe & Sons", ",", "&", "\n", "$&");
  fc.assert(fc.property(users, fc.integer(), (users, uid) => {
    assert(!listedName(users, uid).includes(":"));
    assertEquals(
      listedName(`joe:x:7:7:& $& R\u00e9,${users.replaceAll("\n", "")}\n`, 7),
      "Joe $Joe R\u00e9",
    );
  }));
  assertQuick((text) => listedName(text, 1000), [":", "\n", "a:x:1000:1:&", "&", "a"]);
});

const NO_IO = { out() {}, outBytes() {}, err() {}, env: () => undefined };

Deno.test("inputLines() gives the lines of text that comes in any pieces", async () => {
  const text = fc.string({ unit: fc.constantFrom("a", "\n", "ä", "\r", " "), maxLength: 40 });
  await fc.assert(fc.asyncProperty(text, fc.integer({ min: 1, max: 5 }), async (text, size) => {
    const bytes = new TextEncoder().encode(text);
    const input = new ReadableStream<Uint8Array>({
      start(controller) {
        for (let at = 0; at < bytes.length; at += size) {
          controller.enqueue(bytes.subarray(at, at + size));
        }
        controller.close();
      },
    });
    const lines = await Array.fromAsync(inputLines({ ...NO_IO, input }, 1000));
    assertEquals(lines, text.split("\n").slice(0, text.endsWith("\n") || !text ? -1 : undefined));
  }));
});
