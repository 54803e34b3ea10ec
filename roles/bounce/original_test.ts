import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { byteText, textBytes } from "../../shared/bytes.ts";
import { Content } from "../../shared/ipc/content.ts";
import { readOriginal } from "./original.ts";

Deno.test("readOriginal() takes whole lines from the start, never above the limit, however cut", () =>
  fc.assert(fc.asyncProperty(
    fc.array(fc.constantFrom("X: y\r\n", " z\r\n", "\r\n", "text\r\n", "\xff\0: \r\n"), {
      maxLength: 20,
    }),
    fc.nat({ max: 100 }),
    fc.nat(),
    fc.boolean(),
    async (lines, limit, cut, wantWhole) => {
      const text = lines.join(""), bytes = textBytes(text);
      const at = cut % (bytes.length + 1);
      const whole = await readOriginal(new Content(bytes, false, () => {}), limit, wantWhole);
      const pieces = new Content(bytes.subarray(0, at), true, () => {});
      pieces.push(bytes.subarray(at), false);
      assertEquals(await readOriginal(pieces, limit, wantWhole), whole);
      const quoted = byteText(whole.bytes);
      assertEquals(text.startsWith(quoted) && quoted.length <= limit, true);
      assertEquals(whole.whole, wantWhole && text.length <= limit);
      if (whole.whole) assertEquals(quoted, text);
      else assertEquals(/^([!-9;-~]+:.*\r\n( .*\r\n)*)*$/.test(quoted), true);
    },
  )));
