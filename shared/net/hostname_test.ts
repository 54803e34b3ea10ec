import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { assertQuick, near } from "../../tests/support/hostile.ts";
import { isHostname } from "./hostname.ts";

const names: [reason: string, name: string, is: boolean][] = [
  ["a name", "mail-1.example.com", true],
  ["one label", "localhost", true],
  ["underscores", "_dmarc.my_host.example", true],
  ["Unicode", "b\u00fccher.example", true],
  ["a number as its first label", "1.example", true],
  ["a label of 63 characters", `${"a".repeat(63)}.example`, true],
  ["a label of 64 characters", `${"a".repeat(64)}.example`, false],
  ["256 characters", `${"a.".repeat(127)}aa`, false],
  ["a hyphen at the start of a label", "a.-b.example", false],
  ["a hyphen at the end of a label", "a-.example", false],
  ["an empty label", "a..example", false],
  ["a dot at the end", "example.", false],
  ["an address", "192.0.2.1", false],
  ["an address literal", "[192.0.2.1]", false],
  ["a space", "a b.example", false],
  ["a line break", "example.com\n", false],
  ["nothing", "", false],
];
for (const [reason, name, is] of names) {
  Deno.test(`isHostname() ${is ? "takes" : "refuses"} ${reason}`, () => {
    assertEquals(isHostname(name), is);
  });
}

Deno.test("isHostname() takes labels of bounded length and no ASCII but letters, digits, - and _, of any text", () => {
  const name = near("a", "-", ".", "_", "1", "a.test", "x".repeat(63), "/", "@", "[");
  fc.assert(fc.property(name, (name) => {
    if (!isHostname(name)) return;
    assert(name.length <= 255 && /[^0-9.]/.test(name));
    for (const label of name.split(".")) {
      assert(/^[^-].*[^-]$|^[^-]$/su.test(label) && [...label].length <= 63, name);
      assert(!/[^A-Za-z0-9_-]/.test(label.replace(/[^\0-\x7f]/g, "")), name);
    }
  }));
  assertQuick(isHostname, ["a", ".", "a.", "-", "1", "é"]);
});
