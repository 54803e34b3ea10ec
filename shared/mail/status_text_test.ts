import { assertEquals } from "@std/assert";
import * as fc from "fast-check";
import { assertQuick } from "../../tests/support/hostile.ts";
import { splitStatus } from "./status_text.ts";

Deno.test("splitStatus() takes a code off, in the class of its fallback", () => {
  assertEquals(splitStatus("5.1.6 moved away", "5.0.0"), { dsn: "5.1.6", text: "moved away" });
  assertEquals(splitStatus("4.1.6 moved away", "5.0.0"), { dsn: "5.1.6", text: "moved away" });
  assertEquals(splitStatus("moved away", "5.0.0"), { dsn: "5.0.0", text: "moved away" });
  assertEquals(splitStatus("5.1.6", "5.0.0"), { dsn: "5.1.6", text: "no reason given" });
  assertEquals(splitStatus("", "4.0.0"), { dsn: "4.0.0", text: "no reason given" });
});

Deno.test("splitStatus() gives a code of its class and some text for whatever stands there", () => {
  fc.assert(fc.property(fc.string(), (text) => {
    const split = splitStatus(text, "5.0.0");
    assertEquals(/^5\.\d{1,3}\.\d{1,3}$/.test(split.dsn) && split.text.length > 0, true);
  }));
});

Deno.test("splitStatus() takes time in proportion to its text", () =>
  assertQuick((text) => splitStatus(text, "5.0.0"), ["5.", "1", " ", "5.1.1 ", "."], {
    around: ["", "5.1.1", "5.1.1 "],
  }));
