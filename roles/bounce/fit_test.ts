/** Reports are never larger than the queue takes, and none of their recipients is left out. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { anyCharacter } from "../../tests/support/hostile.ts";
import type { Report } from "../../shared/protocols/bounce.ts";
import { recipient, report, scene } from "./test_scene.ts";

/** Large recipients: servers said much of each. */
function recipients(count: number, text: string): Report["recipients"] {
  return Array.from({ length: count }, (_, n) => {
    const address = `u${n}@example.com`;
    return recipient({ address, original: address }, { n, text, diagnostic: text });
  });
}

/** The messages that it takes to tell of all recipients, and of which each of them tells. */
async function parts(asked: Report, limit: number, original?: string) {
  const { report: ask, sent } = scene({ message_size_limit: `${limit}`, notify_classes: "bounce" });
  const told: number[][] = [];
  for (let at = 0; at < asked.recipients.length;) {
    const some = asked.recipients.slice(at);
    const reply = await ask({ ...asked, recipients: some }, original);
    told.push(some.slice(0, reply.told).map(({ outcome }) => outcome.n));
    at += reply.told;
  }
  const texts = sent.map(({ text }) => text);
  return { told, reports: texts.filter((_, i) => i % 2 === 0), texts };
}

for (const [smtputf8, char] of [[false, "x"], [false, "語"], [true, "語"]] as const) {
  for (const limit of [0, 200_000, 10_240_000]) {
    Deno.test(`report() tells of all in messages of up to ${limit} bytes, of ${char} with SMTPUTF8 ${smtputf8}`, async () => {
      const many = recipients(500, char.repeat(2000));
      const { told, reports, texts } = await parts(
        report({ recipients: many }, { smtputf8 }),
        limit,
      );
      assertEquals(told.flat(), many.map(({ outcome }) => outcome.n));
      for (const [i, text] of reports.entries()) {
        const named = [...text.matchAll(/^Final-Recipient: rfc822; u(\d+)@/gm)].map(([, n]) => +n!);
        assertEquals(named, told[i]);
        assertStringIncludes(text, "\r\nbody\r\n");
      }
      if (limit === 0) return assertEquals(told.length, 1);
      for (const { length } of texts) assert(length <= limit, `${length} bytes`);
      // Another recipient would not have fitted.
      const each = reports[0]!.length / told[0]!.length;
      for (const { length } of reports.slice(0, -1)) assert(length + each * 1.1 > limit);
    });
  }
}

Deno.test("report() quotes less where not even one recipient fits beside all of it, and then nothing", async () => {
  const original = `Subject: ${"s".repeat(500)}\r\n\r\n${"b".repeat(20_000)}\r\n`;
  const asked = report({ size: original.length, recipients: recipients(2, "no") });
  /** The first message, and what it quotes. */
  const made = async (limit: number) => {
    const { reports: [text], told } = await parts(asked, limit, original);
    assertEquals(told.flat(), [0, 1]);
    const quotes = [text!.includes("sss"), text!.includes("bbb")];
    return { size: text!.length, count: told[0]!.length, quotes };
  };
  const one = await made((await made(0)).size - 1);
  assertEquals([one.count, one.quotes], [1, [true, true]]);
  const headers = await made(one.size - 1);
  assertEquals([headers.count, headers.quotes], [2, [true, false]]);
  // One beside the headers, less these.
  const nothing = await made(2000);
  assertEquals([nothing.count, nothing.quotes], [2, [false, false]]);
  // There has to be a report: the queue takes more than the limit.
  const least = await made(1);
  assertEquals([least.count, least.quotes], [1, [false, false]]);
});

Deno.test("report() gives the copy of a part a name of its own, for whatever is in that part", async () => {
  const source = "a".repeat(64);
  const ids = new Set<string>();
  for (const limit of ["3000", "4000", "0"]) {
    const { report: ask, sent } = scene({ message_size_limit: limit, notify_classes: "bounce" });
    await ask(report({ source, recipients: recipients(20, "no") }));
    for (const { submission } of sent) ids.add(submission.source.id);
  }
  assertEquals(ids.size, 6);
});

Deno.test("report() keeps to the limit whatever is said of whom", () => {
  const said = fc.string({ unit: anyCharacter, maxLength: 100 })
    // deno-lint-ignore no-control-regex
    .map((text) => text.replace(/[\x00-\x1f\x7f]/g, ""));
  return fc.assert(
    fc.asyncProperty(
      fc.array(said, { minLength: 1, maxLength: 8 }),
      fc.boolean(),
      fc.integer({ min: 1, max: 8000 }),
      async (texts, smtputf8, limit) => {
        const some = texts.map((text, n) =>
          recipient({ address: text, original: text.slice(1) }, { n, text, diagnostic: text })
        );
        const { reports, told } = await parts(report({ recipients: some }, { smtputf8 }), limit);
        assertEquals(told.flat(), texts.map((_, n) => n));
        for (const [i, text] of reports.entries()) {
          const isLeast = told[i]!.length === 1 && !text.includes("From: joe");
          assert(text.length <= limit || isLeast, `${text.length} bytes`);
        }
      },
    ),
    { numRuns: 50 },
  );
});
