import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { PeerError } from "../errors.ts";
import { type Reply, ReplyParser } from "./reply_parser.ts";

function parse(text: string | Uint8Array, parser = new ReplyParser()): Reply[] {
  const replies: Reply[] = [];
  const bytes = typeof text === "string" ? new TextEncoder().encode(text) : text;
  parser.push(bytes, (reply) => replies.push(reply));
  return replies;
}

function seen(text: string) {
  return parse(text).map(({ code, dsn, text }) => [code, dsn, text]);
}

Deno.test("ReplyParser takes replies of one and of many lines", () => {
  assertEquals(seen("250 2.1.0 Ok\r\n550-5.1.1 No\r\n550 5.1.1 such user\r\n354 Go\r\n"), [
    [250, "2.1.0", "250 2.1.0 Ok"],
    [550, "5.1.1", "550-5.1.1 No 550 5.1.1 such user"],
    [354, "3.0.0", "354 Go"],
  ]);
});

for (
  const [why, line, code, dsn] of [
    ["has no text", "250", 250, "2.0.0"],
    ["has a bare line feed", "250 2.0.0 ok", 250, "2.0.0"],
    ["has an enhanced code of another class", "550 4.1.1 x", 550, "5.0.0"],
    ["has an enhanced code that goes on", "550 5.1.1234 x", 550, "5.0.0"],
    ["has an enhanced code glued to text", "550 5.1.1x", 550, "5.0.0"],
    ["ends after its enhanced code", "450 4.2.2", 450, "4.2.2"],
    ["has half an enhanced code", "450 4.2 x", 450, "4.0.0"],
    ["has a code below 200", "150 x", 0, "4.5.0"],
    ["has a code above 599", "650 x", 0, "4.5.0"],
    ["has four digits", "2500 x", 0, "4.5.0"],
    ["is no reply", "hello", 0, "4.5.0"],
    ["is empty", "", 0, "4.5.0"],
  ] as [string, string, number, string][]
) {
  Deno.test(`ReplyParser takes a line that ${why}`, () => {
    assertEquals(seen(`${line}\n`), [[code, dsn, line]]);
  });
}

for (
  const [why, text, code, isWhole] of [
    ["one line", "250 ok\r\n", 250, true],
    ["lines of one code", "250-a\r\n250-b\r\n250 c\r\n", 250, true],
    ["a line without code inside", "550-a\r\nb\r\n550 c\r\n", 550, false],
    ["an empty line inside", "550-a\r\n\r\n550 c\r\n", 550, false],
    ["another code inside", "250-a\r\n251-b\r\n250 c\r\n", 250, false],
    ["another code at its end", "250-a\r\n550 b\r\n", 550, false],
    ["no code", "hello\r\n", 0, false],
  ] as [string, string, number, boolean][]
) {
  Deno.test(`ReplyParser takes ${why} for one reply, ${isWhole ? "" : "not "}whole`, () => {
    assertEquals(parse(text).map((each) => [each.code, each.isWhole]), [[code, isWhole]]);
  });
}

Deno.test("lines has the texts of those lines that have a code", () => {
  assertEquals(parse("250-mx\r\nnot SIZE\r\n250 DSN\r\n")[0]!.lines, ["mx", "DSN"]);
});

Deno.test("ReplyParser refuses lines without code that do not end inside a reply", () => {
  assertThrows(() => parse(`220-x\r\n${"x\r\n".repeat(1000)}`), PeerError);
});

Deno.test("ReplyParser forgets the enhanced code of the reply before", () => {
  assertEquals(seen("550 5.1.1 a\r\n550 b\r\n").map(([, dsn]) => dsn), ["5.1.1", "5.0.0"]);
});

Deno.test("ReplyParser makes control characters and bad UTF-8 printable", () => {
  const bytes = new Uint8Array([
    0x32,
    0x35,
    0x30,
    0x20,
    0,
    9,
    0xff,
    0xc3,
    0xa4,
    0xc2,
    0x85,
    13,
    10,
  ]);
  assertEquals(parse(bytes)[0]!.text, "250 ???ä?");
});

Deno.test("ReplyParser keeps no more of a line than its limit", () => {
  const [reply] = parse(`250 ${"x".repeat(10_000)}\r\n`);
  assertEquals(reply!.text.length, 4096);
});

Deno.test("ReplyParser refuses a reply without end", () => {
  assertThrows(() => parse(`250-x\r\n`.repeat(1000)), PeerError);
  const parser = new ReplyParser();
  const chunk = new Uint8Array(64 * 1024).fill(120);
  parser.push(chunk, () => {});
  parser.push(chunk, () => {});
  assertThrows(() => parser.push(chunk, () => {}), PeerError);
});

Deno.test("ReplyParser gives the same replies however the bytes are cut", () => {
  const line = fc.tuple(
    fc.integer({ min: 200, max: 599 }),
    fc.array(fc.string({ maxLength: 20 }).map((text) => text.replace(/[\r\n]/g, "")), {
      minLength: 1,
      maxLength: 4,
    }),
  );
  fc.assert(fc.property(fc.array(line), fc.array(fc.nat(60)), (replies, cuts) => {
    const text = replies.map(([code, lines]) =>
      lines.map((line, i) => `${code}${i < lines.length - 1 ? "-" : " "}${line}\r\n`).join("")
    ).join("");
    const bytes = new TextEncoder().encode(text);
    const whole = parse(bytes);
    const parser = new ReplyParser();
    const cut: Reply[] = [];
    let at = 0;
    for (const length of cuts) {
      cut.push(...parse(bytes.subarray(at, at + length), parser));
      at += length;
    }
    cut.push(...parse(bytes.subarray(at), parser));
    assertEquals(cut.map((each) => each.text), whole.map((each) => each.text));
    assertEquals(whole.map((each) => each.code), replies.map(([code]) => code));
    assertEquals(parser.idle, true);
  }));
});

Deno.test("ReplyParser survives any bytes", () => {
  fc.assert(fc.property(fc.array(fc.uint8Array({ maxLength: 300 })), (chunks) => {
    const parser = new ReplyParser({ lineBytes: 20, lines: 5, replyBytes: 200 });
    try {
      for (const chunk of chunks) {
        for (const reply of parse(chunk, parser)) {
          // deno-lint-ignore no-control-regex
          assertEquals(/[\u0000-\u001f\u007f]/.test(reply.text), false);
          assertEquals(reply.code === 0 || (reply.code >= 200 && reply.code < 600), true);
          assertEquals(/^[245]\.\d{1,3}\.\d{1,3}$|^3\.0\.0$/.test(reply.dsn), true);
        }
      }
    } catch (error) {
      if (!(error instanceof PeerError)) throw error;
    }
  }));
});
