import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { concat } from "../../shared/bytes.ts";
import { FirstLine } from "./first_line.ts";

const encoder = new TextEncoder(), decoder = new TextDecoder();

function run(parts: Uint8Array[]): string {
  const first = new FirstLine();
  const out = parts.map((part) => concat(first.push([part])));
  return decoder.decode(concat([...out, ...first.finish()]));
}

const rows: [reason: string, input: string, output: string][] = [
  ["leaves headers alone", "Subject: x\r\n\r\nFrom me\r\n", "Subject: x\r\n\r\nFrom me\r\n"],
  ["leaves From: alone", "From: me\r\n", "From: me\r\n"],
  ["makes a header of a separator", "From me\r\nTo: x\r\n", "X-Mailbox-Line: From me\r\nTo: x\r\n"],
  ["makes a header of a quoted separator", ">>From me\r\n", "X-Mailbox-Line: >>From me\r\n"],
  [
    "makes headers of two separators",
    "From a\r\nFrom b\r\nx\r\n",
    "X-Mailbox-Line: From a\r\nX-Mailbox-Line: From b\r\nx\r\n",
  ],
  ["ends the header above a space", " x\r\n", "\r\n x\r\n"],
  ["ends the header above a tab", "\tx\r\n", "\r\n\tx\r\n"],
  [
    "leaves a space after a separator to fold it",
    "From a\r\n b\r\n",
    "X-Mailbox-Line: From a\r\n b\r\n",
  ],
  ["leaves what is too short alone", "Fro", "Fro"],
  ["leaves nothing alone", "", ""],
];

for (const [reason, input, output] of rows) {
  Deno.test(`FirstLine ${reason}`, () => {
    const bytes = encoder.encode(input);
    assertEquals(run([bytes]), output);
    assertEquals(run([...bytes].map((byte) => Uint8Array.of(byte))), output);
    fc.assert(fc.property(fc.nat(30), (place) => {
      const at = place % (bytes.length + 1);
      assertEquals(run([bytes.subarray(0, at), bytes.subarray(at)]), output);
    }));
  });
}

Deno.test("FirstLine passes ordinary content on uncopied", () => {
  const parts = [encoder.encode("Subject: x\r\n")];
  assertEquals(new FirstLine().push(parts), parts);
});
