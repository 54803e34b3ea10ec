import fc from "fast-check";
import { assertEquals } from "@std/assert";
import packet from "dns-packet";
import { PeerError } from "../../shared/errors.ts";
import { interpret } from "./interpret.ts";
import { decodeMessage, encodeQuestion } from "./packet.ts";

Deno.test("decodeMessage() survives any bytes", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => {
      try {
        decodeMessage(bytes);
      } catch (error) {
        if (!(error instanceof PeerError)) throw error;
      }
    }),
    { numRuns: 500 },
  );
});

Deno.test("interpret() makes clean answers of damaged messages", () => {
  const good: Uint8Array = packet.encode({
    type: "response",
    id: 1,
    questions: [{ name: "a.test", type: "MX" }],
    answers: [
      { name: "a.test", type: "CNAME", ttl: 1, data: "b.test" },
      { name: "b.test", type: "MX", ttl: 1, data: { exchange: "mx.test", preference: 1 } },
      { name: "b.test", type: "TXT", ttl: 1, data: ["x", "y"] },
    ],
  });
  const damage = fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { maxLength: 8 });
  fc.assert(
    fc.property(damage, (changes) => {
      const bytes = new Uint8Array(good);
      for (const [at, value] of changes) bytes[at] = value;
      try {
        const message = decodeMessage(bytes);
        for (const type of ["MX", "TXT", "A"] as const) {
          for (const { data } of interpret(message, "a.test", type).records) {
            // deno-lint-ignore no-control-regex
            assertEquals(/[\u0000-\u001f\u007f]/.test(data), false);
          }
        }
      } catch (error) {
        if (!(error instanceof PeerError)) throw error;
      }
    }),
    { numRuns: 500 },
  );
});

Deno.test("encodeQuestion() asks for recursion and the AD bit", () => {
  const made = packet.decode(encodeQuestion(7, "a.test", "TLSA", true));
  assertEquals([made.id, made.flag_rd, made.flag_ad, made.questions[0].type], [
    7,
    true,
    true,
    "TLSA",
  ]);
});
