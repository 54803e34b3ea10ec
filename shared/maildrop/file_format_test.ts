import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import fc from "fast-check";
import { textOf } from "../../tests/support/content.ts";
import { fileOf, PLAIN, readBytes } from "../../tests/support/maildrop.ts";
import { NotASubmission } from "./file_format.ts";

const encoder = new TextEncoder();

async function content(bytes: Uint8Array): Promise<string> {
  return textOf((await readBytes(bytes)).content());
}

/** A file whose checksum is right, whatever its envelope says. */
async function forged(envelope: unknown, message = "x\r\n"): Promise<Uint8Array> {
  const json = encoder.encode(JSON.stringify(envelope));
  const head = encoder.encode(`postern submission 1 ${json.length}\n`);
  const body = new Uint8Array([...head, ...json, 10, ...encoder.encode(message)]);
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", body));
  return new Uint8Array([...body, ...encoder.encode(`sha256 ${digest.toHex()}\n`)]);
}

Deno.test("readSubmission() gives back what was written", async () => {
  const bytes = fileOf("Subject: x\r\n\r\nbody\r\n", { sender: 'a "b"@x', fullName: "Zoë" });
  const submission = await readBytes(bytes);
  assertEquals(submission.envelope, { ...PLAIN, sender: 'a "b"@x', fullName: "Zoë" });
  assertEquals(submission.size, 20);
  assertEquals(submission.eightBit, false);
  assertEquals(await content(bytes), "Subject: x\r\n\r\nbody\r\n");
});

Deno.test("readSubmission() takes an empty message", async () => {
  assertEquals(await content(fileOf("")), "");
});

Deno.test("readSubmission() sees bytes above 127", async () => {
  assertEquals((await readBytes(fileOf("ä\r\n"))).eightBit, true);
});

Deno.test("readSubmission() refuses a half-written file, wherever the writing stopped", async () => {
  const bytes = fileOf("Subject: x\r\n\r\nbody\r\n");
  for (let length = 0; length < bytes.length; length++) {
    await assertRejects(() => readBytes(bytes.subarray(0, length)), NotASubmission);
  }
});

Deno.test("readSubmission() refuses a file with any one bit changed", async () => {
  const bytes = fileOf("Subject: x\r\n\r\nbody\r\n");
  for (let at = 0; at < bytes.length; at++) {
    const changed = bytes.slice();
    changed[at]! ^= 1;
    await assertRejects(() => readBytes(changed), NotASubmission);
  }
});

Deno.test("readSubmission() refuses a submission inside another's half-written message", async () => {
  const inner = fileOf("x\r\n");
  const outer = fileOf(inner.map((byte) => byte === 10 ? 32 : byte)).subarray(0, 40);
  await assertRejects(() => readBytes(new Uint8Array([...outer, ...inner])), NotASubmission);
});

const HOSTILE: [string, unknown][] = [
  ["a newline in the sender", { ...PLAIN, sender: "a\nb" }],
  ["a NUL in a recipient", { ...PLAIN, recipients: ["a\u0000b"] }],
  ["a carriage return in a recipient", { ...PLAIN, recipients: ["a\rRCPT TO:<x>"] }],
  ["a C1 control in a recipient", { ...PLAIN, recipients: ["a\u0085b"] }],
  ["half a surrogate pair in a recipient", { ...PLAIN, recipients: ["a\ud800"] }],
  ["a newline in the full name", { ...PLAIN, fullName: "a\nBcc: x" }],
  ["a newline in the envelope id", { ...PLAIN, envid: "a\nb" }],
  ["no recipients", { ...PLAIN, recipients: [] }],
  ["a field that is not declared", { ...PLAIN, uid: 0 }],
  ["a missing field", { sender: "a", recipients: ["b"] }],
  ["an address beyond the limit", { ...PLAIN, sender: "a".repeat(1001) }],
  ["an envelope that is not an object", [PLAIN]],
];

for (const [what, envelope] of HOSTILE) {
  Deno.test(`readSubmission() refuses ${what}, though the checksum is right`, async () => {
    await assertRejects(async () => await readBytes(await forged(envelope)), NotASubmission);
  });
}

for (const message of ["a\nb\r\n", "a\rb\r\n", "a\r\r\n", "\n", "a", "a\r", "a\r\n\n"]) {
  Deno.test(`readSubmission() refuses the message ${JSON.stringify(message)}`, async () => {
    await assertRejects(async () => await readBytes(await forged(PLAIN, message)), NotASubmission);
  });
}

Deno.test("SubmissionWriter refuses an envelope that readers would refuse", () => {
  assertThrows(() => fileOf("", { sender: "a\nb" }), RangeError);
  const recipients = Array(20_000).fill("r".repeat(300));
  assertThrows(() => fileOf("", { recipients }), RangeError, "longer than");
});

Deno.test("content() throws before its end when the file changes after the check", async () => {
  const bytes = fileOf("a".repeat(200_000) + "\r\n");
  const submission = await readBytes(bytes);
  bytes[bytes.length - 100]! = 98;
  let got = 0;
  await assertRejects(
    async () => {
      for await (const part of submission.content()) got += part.length;
    },
    NotASubmission,
    "changed while it was read",
  );
  assertEquals(got < submission.size, true);
});

Deno.test("readSubmission() either refuses foreign bytes or throws nothing else", async () => {
  await fc.assert(fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (bytes) => {
    await assertRejects(() => readBytes(bytes), NotASubmission);
  }));
});

Deno.test("readSubmission() refuses a true start followed by foreign bytes", async () => {
  const start = encoder.encode("postern submission 1 ");
  await fc.assert(
    fc.asyncProperty(fc.nat(9_999_999), fc.uint8Array({ maxLength: 300 }), async (n, bytes) => {
      const all = new Uint8Array([...start, ...encoder.encode(`${n}\n`), ...bytes]);
      await assertRejects(() => readBytes(all), NotASubmission);
    }),
  );
});

/** Names that every object has: nothing may come of them. */
const INHERITED = ["__proto__", "constructor", "hasOwnProperty", "toString", "prototype"];

Deno.test("a submission of any envelope and lines is read as it was written", async () => {
  const address = fc.string({ unit: "grapheme", maxLength: 30 }).filter((text) =>
    !/\p{Cc}/u.test(text)
  );
  const line = fc.uint8Array({ maxLength: 40 }).map((bytes) =>
    bytes.filter((byte) => byte !== 10 && byte !== 13)
  );
  const envelope = fc.record({
    sender: fc.oneof(address, fc.constantFrom(...INHERITED)),
    recipients: fc.array(fc.oneof(address, fc.constantFrom(...INHERITED)), {
      minLength: 1,
      maxLength: 5,
    }),
    gateway: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(envelope, fc.array(line, { maxLength: 5 }), async (some, lines) => {
      const message = new Uint8Array(lines.flatMap((bytes) => [...bytes, 13, 10]));
      const submission = await readBytes(fileOf(message, some));
      assertEquals(submission.envelope, { ...PLAIN, ...some });
      const parts: number[] = [];
      for await (const part of submission.content()) parts.push(...part);
      assertEquals(new Uint8Array(parts), message);
    }),
  );
});

Deno.test("readSubmission() refuses a submission that was damaged in any way", async () => {
  const whole = fileOf("Subject: x\r\n\r\nbody\r\n");
  const damage = fc.record({
    at: fc.nat(whole.length - 1),
    remove: fc.nat(20),
    insert: fc.uint8Array({ maxLength: 20 }),
  });
  await fc.assert(fc.asyncProperty(damage, async ({ at, remove, insert }) => {
    const bytes = new Uint8Array([...whole.slice(0, at), ...insert, ...whole.slice(at + remove)]);
    const same = bytes.length === whole.length && bytes.every((byte, n) => byte === whole[n]);
    if (!same) await assertRejects(() => readBytes(bytes), NotASubmission);
  }));
});

Deno.test("readSubmission() knows two kinds of report that a sender may ask for", async () => {
  for (const trace of ["verify", "deliver"] as const) {
    assertEquals((await readBytes(await forged({ ...PLAIN, trace }))).envelope, {
      ...PLAIN,
      trace,
    });
  }
  for (const trace of ["", "failure", null, 1, ["verify"], { verify: true }]) {
    await assertRejects(
      async () => await readBytes(await forged({ ...PLAIN, trace })),
      NotASubmission,
    );
  }
});

Deno.test("readSubmission() takes no envelope of another shape, though the checksum is right", async () => {
  const key = fc.oneof(fc.constantFrom(...INHERITED, ...Object.keys(PLAIN)), fc.string());
  const other = fc.oneof(
    fc.jsonValue(),
    fc.dictionary(key, fc.jsonValue()),
    // With one field too many; JSON.parse makes `__proto__` one of the object's own.
    fc.constantFrom(...INHERITED).map((name) =>
      JSON.parse(`{${JSON.stringify(PLAIN).slice(1, -1)},${JSON.stringify(name)}:{"a":1}}`)
    ),
  );
  await fc.assert(fc.asyncProperty(other, async (envelope) => {
    await assertRejects(async () => await readBytes(await forged(envelope)), NotASubmission);
  }));
});
