/** To7Bit with messages of every structure, and with any bytes. */

import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { convert, decodeQuoted, LIMITS, lines } from "./test_to_7bit.ts";

/** A made message: the bodies of its parts with what they say of their encoding. */
type Made =
  | { encoding: string; body: string }
  /** A multipart whose boundary never comes. */
  | { lost: string }
  | { parts: Made[]; type: "mixed" | "digest"; quoted: boolean; label: boolean; text: string }
  | { inner: Made; label: boolean };

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
    fc.record({ lost: body }),
    fc.record({
      parts: fc.array(tie("made"), { minLength: 1, maxLength: 3 }),
      type: fc.constantFrom("mixed", "digest"),
      quoted: fc.boolean(),
      label: fc.boolean(),
      text: fc.constantFrom("", "\xe4\r\n"),
    }),
    fc.record({ inner: tie("made"), label: fc.boolean() }),
  ),
}));

const LABEL = "Content-Transfer-Encoding: 8bit\r\n";
const LOST = 'Content-Type: multipart/mixed; boundary="never"\r\n' + LABEL + "\r\n";

/** Writes messages; `bodies` get what each part that is no multipart should hold. */
class Writer {
  bodies: string[] = [];
  #boundaries = 0;

  /** As the message itself, or a part of a multipart of this type. */
  write(made: Made, around: "mixed" | "digest" = "mixed"): string {
    if ("inner" in made) {
      const type = around === "digest" ? "" : lines("Content-Type: message/rfc822");
      return type + (made.label ? LABEL : "") + "\r\n" + this.write(made.inner);
    }
    if ("parts" in made) return this.#multipart(made);
    if ("lost" in made) {
      this.bodies.push(made.lost);
      return LOST + made.lost;
    }
    this.bodies.push(made.body);
    const type = around === "digest" ? lines("Content-Type: text/plain") : "";
    return type + lines(`Content-Transfer-Encoding: ${made.encoding}`, "") + made.body;
  }

  #multipart({ parts, type, quoted, label, text }: Extract<Made, { parts: Made[] }>): string {
    const boundary = `=b-${this.#boundaries++}`, around = label ? text : "";
    return lines(
      `Content-Type: multipart/${type}; boundary=${quoted ? `"${boundary}"` : boundary}`,
    ) + (label ? LABEL : "") + "\r\n" + around +
      parts.map((part) => lines(`--${boundary}`) + this.write(part, type)).join("") +
      lines(`--${boundary}--`) + around;
  }
}

/** Reads a message again, in the plainest way; `type` is what it is when it does not say it. */
function read(text: string, bodies: string[], type = "text/plain"): void {
  const at = text.startsWith("\r\n") ? 2 : text.indexOf("\r\n\r\n") + 4;
  const head = text.slice(0, at), body = text.slice(at);
  const [, said = type] = /Content-Type: (.*?)(;|\r)/.exec(head) ?? [];
  const boundary = /boundary="?(.*?)"?\r/.exec(head)?.[1];
  // RFC 2045 6.4.
  if (/^(multipart|message)/.test(said)) assert(!head.includes("quoted-printable"));
  if (said === "message/rfc822") read(body, bodies);
  else if (boundary !== undefined && boundary !== "never") {
    for (const part of body.split(`--${boundary}\r\n`).slice(1)) {
      const inside = part.split(`--${boundary}--\r\n`)[0]!;
      read(inside, bodies, said === "multipart/digest" ? "message/rfc822" : undefined);
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
    const writer = new Writer(), found: string[] = [];
    const text = writer.write(message), out = convert(text, LIMITS, cuts);
    // deno-lint-ignore no-control-regex
    assert(/^[\x01-\x7f]*$/.test(out) || text.includes(LOST));
    assertEquals(convert(text), out);
    read(out, found);
    assertEquals(found, writer.bodies);
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
