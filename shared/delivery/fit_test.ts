/** However many outcomes there are and whatever their texts: they fit one frame. */

import { assert, assertEquals } from "@std/assert";
import { encodeHeader } from "../ipc/check.ts";
import { ENVELOPE_HEADER_BYTES } from "../ipc/declare.ts";
import { MAX_REASON, MAX_RELAY, type Outcome } from "../mail/envelope.ts";
import { fitReply } from "./fit.ts";

/** As many as one request can have. */
const MANY = 5000;

function outcomes(count: number, character: string, name = "mx.example.com"): Outcome[] {
  const text = character.repeat(MAX_REASON / character.length);
  return Array.from({ length: count }, (_, n) => ({
    ...{ n, status: "sent", dsn: "2.0.0", text, remoteMta: name, diagnostic: text },
    relay: name,
  }));
}

const fitted = (outcomes: Outcome[]) => fitReply({ outcomes, siteProblem: null }).outcomes;
const bytesOf = (value: unknown) => encodeHeader(value).length;

for (
  const [what, character] of [
    ["ASCII", "x"],
    ["what JSON escapes", '"'],
    ["UTF-8", "\u20ac"],
    ["surrogate pairs", "\u{1f4e7}"],
    ["halves of surrogate pairs", "\ud83d"],
  ] as const
) {
  Deno.test(`fitReply() keeps every outcome, with a part of its text of ${what}`, () => {
    const given = outcomes(MANY, character), fitting = fitted(given);
    assert(bytesOf(given) > ENVELOPE_HEADER_BYTES);
    const length = bytesOf(fitting);
    assert(length <= ENVELOPE_HEADER_BYTES - 64 * 1024 && length > ENVELOPE_HEADER_BYTES / 5);
    assertEquals(fitting.map(({ n }) => n), given.map(({ n }) => n));
    for (const { status, dsn, text, diagnostic, remoteMta, relay } of fitting) {
      assertEquals([status, dsn, remoteMta, relay], [
        "sent",
        "2.0.0",
        "mx.example.com",
        "mx.example.com",
      ]);
      assert(text && diagnostic && given[0]!.text.startsWith(text));
    }
  });
}

Deno.test("fitReply() keeps every outcome where the names alone would not fit", () => {
  const name = "\ud83d".repeat(255);
  const given = outcomes(MANY, "x", name).map((each) => (
    { ...each, relay: "\ud83d".repeat(MAX_RELAY) }
  ));
  const fitting = fitted(given);
  assert(bytesOf(fitting) <= ENVELOPE_HEADER_BYTES - 64 * 1024);
  assertEquals(fitting.length, MANY);
});

Deno.test("fitReply() leaves alone what fits", () => {
  for (const count of [1, 500]) {
    const given = outcomes(count, "\ud83d", "\ud83d".repeat(255));
    assertEquals(fitted(given) === given, true);
    assert(bytesOf(given) < ENVELOPE_HEADER_BYTES);
  }
  const short = outcomes(MANY, "x").map((each) => ({ ...each, text: "ok", diagnostic: "ok" }));
  assertEquals(fitted(short) === short, true);
});
