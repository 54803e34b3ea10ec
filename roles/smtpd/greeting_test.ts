import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { connectInMemory } from "../../tests/dialogs/memory.ts";

const HEAD = "# rewrite: user@here.test local yes\n" +
  "# parameter: smtpd_forbid_unauth_pipelining = no";
const encoder = new TextEncoder();
const name = fc.string({
  unit: fc.oneof(
    fc.integer({ min: 1, max: 0xffff }).map((code) => String.fromCharCode(code)),
    fc.constantFrom("(", ")", "\\", '"', ";", "\x1b", "\x9b", "\u202e", "\u2028", "a", "."),
  ),
  minLength: 1,
  maxLength: 400,
}).filter((text) => !/[\r\n]/.test(text) && text.trim() !== "");

Deno.test("an EHLO name of any text stays inside its place in the Received header and the log", () =>
  fc.assert(
    fc.asyncProperty(name, async (helo) => {
      const { send, memory, close } = connectInMemory(HEAD);
      send(encoder.encode(
        `EHLO ${helo}\r\nMAIL FROM:<s@a.test>\r\nRCPT TO:<user@here.test>\r\nDATA\r\n`,
      ));
      await memory!.settle();
      send(encoder.encode("Subject: x\r\n\r\n.\r\n"));
      await memory!.settle();
      close();
      const [message = ""] = memory!.messages;
      const [first, second] = message.split("\\r\\n");
      assert(
        /Received: from [^()\\";<>@]+ \(client\.example \[192\.0\.2\.1\]\)$/.test(first!),
        first,
      );
      // deno-lint-ignore no-control-regex
      assert(!/[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]/.test(first!), first);
      assertEquals(second!.startsWith("\tby mail.here.test "), true);
    }),
    { numRuns: 300 },
  ));
