import { assertEquals } from "@std/assert";
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
