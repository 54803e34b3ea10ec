import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { assertQuick } from "../../tests/support/hostile.ts";
import { addressList } from "./address_list.ts";

const LISTS: [string, string[]][] = [
  ["user@example.com", ["user@example.com"]],
  ["user", ["user"]],
  ["a@x, b@y,c@z", ["a@x", "b@y", "c@z"]],
  ["a b@y", ["a", "b@y"]],
  ["Full Name <user@example.com>", ["user@example.com"]],
  ['"Name, Full" <user@example.com>, other@x', ["user@example.com", "other@x"]],
  ["(comment) user@example.com (another (nested) one)", ["user@example.com"]],
  ["user(comment)@example.com", ["user@example.com"]],
  ["group: a@x, b@y;, c@z", ["a@x", "b@y", "c@z"]],
  ["undisclosed-recipients:;", []],
  ["undisclosed-recipients:", []],
  ["undisclosed-recipients: , a@x", ["a@x"]],
  ["a:b@x", ["a:b@x"]],
  ["<a:b@x>, Name <mailto:c@x>", ["a:b@x", "mailto:c@x"]],
  ["x y : b@x", ["x", "y:b@x"]],
  ["a:b@x, c:d@x;", ["b@x", "d@x"]],
  ["a:b@x;c@x,d:e@x", ["b@x", "c@x", "d:e@x"]],
  ['g:"a;b"@x (;), c@x', ["g:a;b@x", "c@x"]],
  ["<@one,@two:a:b@x>", ["a:b@x"]],
  ['"a b"@example.com', ["a b@example.com"]],
  ['"a\\"b"@example.com', ['a"b@example.com']],
  ["user @ example . com", ["user@example.com"]],
  ["<@one,@two:user@example.com>", ["user@example.com"]],
  ["<@one, @two : user@example.com>, b@y", ["user@example.com", "b@y"]],
  ["Joe <a@x, b@y", ["a@x", "b@y"]],
  ["Joe <a@x, Bob <b@y>, c@z", ["a@x", "b@y", "c@z"]],
  ["<a@x, b@y>, c@z", ["a@x", "b@y", "c@z"]],
  ["<@one,@two:a@x, b@y", ["a@x", "b@y"]],
  ["<, a@x>", ["a@x"]],
  ["user@[192.0.2.1]", ["user@[192.0.2.1]"]],
  ["<user@[IPv6:2001:db8::1]>", ["user@[IPv6:2001:db8::1]"]],
  ["<>", []],
  ["", []],
  [",,;", []],
  ["Zoë <zoë@example.com>", ["zoë@example.com"]],
  ['"never closed@example.com', ["never closed@example.com"]],
  ["a@x (never closed", ["a@x"]],
  ["<a@x", ["a@x"]],
  ["a@x\r\n\tb@y", ["a@x", "b@y"]],
  ['"a\nb"@x', ["ab@x"]],
];

for (const [text, addresses] of LISTS) {
  Deno.test(`addressList() of ${JSON.stringify(text)}`, () => {
    assertEquals(addressList(text), addresses);
  });
}

Deno.test("addressList() ends, whatever it is given, and lets no control character through", () => {
  const alphabet = fc.constantFrom(...'ab@.<>():;,\\"[] \n\u0000\u0085é');
  fc.assert(fc.property(fc.string({ unit: alphabet, maxLength: 60 }), (text) => {
    for (const address of addressList(text)) {
      assertEquals(/\p{Cc}/u.test(address), false, JSON.stringify(address));
    }
  }));
});

Deno.test("addressList() takes time in proportion to its text", () => {
  const parts = ["(", '"', "<", "a", "a,", "a ", "\\", "a. ", "a@ ", "a . ", '"a"b', '"\\', "@"];
  assertQuick(addressList, parts, { around: ["", '"'] });
});
