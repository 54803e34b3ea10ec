/** To7Bit with messages of every structure, and with any bytes. */

import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { convert, decodeQuoted, LIMITS, lines } from "./test_to_7bit.ts";

/** A made message: the bodies of its parts with what they say of their encoding. */
type Made = { encoding: string; body: string } | { parts: Made[]; label: boolean } | {
  inner: Made;
};

const character = fc.oneof(
  fc.integer({ min: 32, max: 255 }).map((code) => String.fromCharCode(code)),
  fc.constantFrom("-", " ", "=", "\t", "\0", "\xe4", "b", "1"),
);
const body = fc.array(
  fc.array(character, { maxLength: 200 }).map((each) => each.join("") + "\r\n"),
  { maxLength: 5 },
).map((each) => each.join(""));

const { made } = fc.letrec<{ made: Made }>((tie) => ({
  made: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.record({ encoding: fc.constantFrom("8bit", "binary"), body }),
    fc.constant({ encoding: "base64", body: "YWJj\r\n" }),
    fc.record({
      parts: fc.array(tie("made"), { minLength: 1, maxLength: 3 }),
      label: fc.boolean(),
    }),
    fc.record({ inner: tie("made") }),
  ),
}));

/** Writes the message; `bodies` get what each part that is no multipart should hold. */
function write(message: Made, bodies: string[], counter = { n: 0 }): string {
  if ("inner" in message) {
    return lines("Content-Type: message/rfc822", "") + write(message.inner, bodies, counter);
  }
  if ("body" in message) {
    bodies.push(message.body);
    return lines(`Content-Transfer-Encoding: ${message.encoding}`, "") + message.body;
  }
  const boundary = `=b-${counter.n++}`;
  const label = message.label ? lines("Content-Transfer-Encoding: 8bit") : "";
  const parts = message.parts.map((part) => lines(`--${boundary}`) + write(part, bodies, counter));
  return lines(`Content-Type: multipart/mixed; boundary="${boundary}"`) + label + "\r\n" +
    parts.join("") + lines(`--${boundary}--`);
}

/** Reads it again, in the plainest way. */
function read(text: string, bodies: string[]): void {
  const at = text.indexOf("\r\n\r\n") + 4, head = text.slice(0, at), body = text.slice(at);
  const boundary = /boundary="(.*)"/.exec(head)?.[1];
  if (head.includes("message/rfc822")) read(body, bodies);
  else if (boundary !== undefined) {
    for (const part of body.split(`--${boundary}\r\n`).slice(1)) {
      read(part.split(`--${boundary}--\r\n`)[0]!, bodies);
    }
  } else if (head.includes("quoted-printable")) {
    for (const line of body.split("\r\n")) assert(line.length <= 76, `too long: ${line}`);
    assert(!/[ \t]\r\n/.test(body));
    bodies.push(decodeQuoted(body));
  } else bodies.push(body);
}

Deno.test("To7Bit gives 7 bits that read as the same parts, however the message is cut", () => {
  const cuts = fc.array(fc.nat(50), { maxLength: 40 });
  fc.assert(fc.property(made, cuts, (message, cuts) => {
    const expected: string[] = [], found: string[] = [];
    const text = write(message, expected), out = convert(text, LIMITS, cuts);
    // deno-lint-ignore no-control-regex
    assert(/^[\x01-\x7f]*$/.test(out));
    assertEquals(convert(text), out);
    read(out, found);
    assertEquals(found, expected);
  }));
});

Deno.test("To7Bit takes any bytes, and gives the same however they are cut", () => {
  const word = fc.constantFrom(
    "Content-Type: multipart/mixed; boundary=b\r\n",
    "Content-Type: message/rfc822\r\n",
    "Content-Transfer-Encoding: 8bit\r\n",
    "--b\r\n",
    "--b--\r\n",
    "\r\n",
    " folded\r\n",
    "text \xe4 \r\n",
    "\r",
    "\n",
    "\xe4".repeat(100),
  );
  const cuts = fc.array(fc.nat(30), { maxLength: 40 });
  fc.assert(fc.property(fc.array(word, { maxLength: 30 }), cuts, (words, cuts) => {
    const small = { nesting: 3, boundaryBytes: 20 };
    const text = words.join("");
    assertEquals(decodeQuoted(convert(text, small, cuts)), decodeQuoted(convert(text, small)));
  }));
});
