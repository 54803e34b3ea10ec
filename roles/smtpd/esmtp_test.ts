import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { anyCharacter } from "../../tests/support/hostile.ts";
import { worked } from "../../tests/support/work.ts";
import { Check } from "typebox/schema";
import { shape } from "../../shared/ipc/schema.ts";
import { Envelope, Recipient } from "../../shared/mail/envelope.ts";
import { stubSettings } from "../../tests/dialogs/memory.ts";
import { mailParameters, recipientParameters } from "./esmtp.ts";
import { Transaction } from "./transaction.ts";

const settings = stubSettings();
const { ret, envid, body } = Envelope.properties;
const Taken = shape({ ret, envid, body });
/** Words of the parameters, whole and broken, with everything that a line of a command may hold. */
const words = fc.array(
  fc.oneof(
    fc.constantFrom(
      ...["SIZE=", "BODY=", "RET=", "ENVID=", "AUTH=", "SMTPUTF8", "NOTIFY=", "ORCPT=", " ", "\t"],
      ...["8BITMIME", "7bit", "FULL", "hdrs", "rfc822;", "utf-8;", "NEVER", "DELAY", ",", "+2B"],
      ...["+0A", "+0a", "\\x{41}", "__proto__", "=", ";", "1", "x".repeat(101), "é", "\u2028"],
    ),
    fc.string({ unit: anyCharacter, maxLength: 5 }),
  ),
  { maxLength: 12 },
).map((parts) => parts.join(""));

Deno.test("mailParameters() refuses, or takes what an envelope may hold", () =>
  fc.assert(
    fc.property(words, (text) => {
      const transaction = new Transaction();
      const refused = mailParameters(text, transaction, settings);
      if (refused) assert(refused.code >= 500 && refused.code < 600);
      else {
        const { ret, envid, body } = transaction;
        assert(Check(Taken, { ret, envid, body }), JSON.stringify({ text, transaction }));
      }
      assert(Number.isSafeInteger(transaction.declaredSize));
    }),
    { numRuns: 2000 },
  ));

Deno.test("recipientParameters() refuses, or takes what a recipient may hold", () =>
  fc.assert(
    fc.property(words, (text) => {
      const options = { orcpt: "", notify: [] };
      const refused = recipientParameters(text, options, settings);
      const recipient = { address: "a@b.test", original: "a@b.test", ...options };
      if (refused) assert(refused.code >= 500 && refused.code < 600);
      else assert(Check(Recipient, recipient), JSON.stringify({ text, options }));
    }),
    { numRuns: 2000 },
  ));

Deno.test("mailParameters() ignores none of very many parameters", () => {
  const text = `${"SIZE=1 ".repeat(200)}FOO`;
  assertEquals(mailParameters(text, new Transaction(), settings)?.code, 501);
});

for (
  const [given, kept] of [
    ["rfc822;a=b+3Dc@example.com", "rfc822;a+3Db+3Dc@example.com"],
    ["utf-8;ä=b@example.com", "utf-8;ä+3Db@example.com"],
    [`rfc822;${"=".repeat(331)}`, `rfc822;${"+3D".repeat(331)}`],
    [`rfc822;${"=".repeat(332)}`, undefined],
  ] as const
) {
  Deno.test(`recipientParameters() keeps the = of ${given.slice(0, 20)} as xtext, or refuses`, () => {
    const options = { orcpt: "", notify: [] };
    const refused = recipientParameters(`ORCPT=${given}`, options, settings);
    assertEquals(refused?.code, kept === undefined ? 501 : undefined);
    assertEquals(options.orcpt, kept ?? "");
  });
}

for (
  const [given, kept] of [
    ["id=1=+2B", "id+3D1+3D+2B"],
    ["=".repeat(33), "+3D".repeat(33)],
    ["=".repeat(34), undefined],
  ] as const
) {
  Deno.test(`mailParameters() keeps the = of ${given} as xtext, or refuses`, () => {
    const transaction = new Transaction();
    const refused = mailParameters(`ENVID=${given}`, transaction, settings);
    assertEquals(refused?.code, kept === undefined ? 501 : undefined);
    assertEquals(transaction.envid, kept ?? "");
  });
}

Deno.test("an ORCPT that fails at its end is refused at once", () => {
  const text = `ORCPT=utf-8;${"\\x{A}".repeat(190)}+`;
  const began = worked();
  assertEquals(recipientParameters(text, { orcpt: "", notify: [] }, settings)?.code, 501);
  assert(worked() - began < 1000);
});
