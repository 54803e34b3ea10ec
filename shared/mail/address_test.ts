import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { anyCharacter, assertQuick } from "../../tests/support/hostile.ts";
import { domainOf, external, internal, isNotifier, parsePath, splitExtension } from "./address.ts";
import { MAX_ADDRESS } from "./envelope.ts";

const accepted: [string, string, string][] = [
  ["<user@example.com>", "user@example.com", ""],
  ["<>", "", ""],
  ["< >", "", ""],
  ["<> SIZE=10", "", "SIZE=10"],
  ["  <user@example.com>  SIZE=10 BODY=8BITMIME", "user@example.com", "SIZE=10 BODY=8BITMIME"],
  ["user@example.com", "user@example.com", ""],
  ["user@example.com SIZE=10", "user@example.com", "SIZE=10"],
  ["< user@example.com >", "user@example.com", ""],
  ["<postmaster>", "postmaster", ""],
  ["<@one.example,@two.example:user@example.com>", "user@example.com", ""],
  ['<"john doe"@example.com>', "john doe@example.com", ""],
  ['<"a\\"b\\\\c"@example.com>', 'a"b\\c@example.com', ""],
  ['<"a".b."c d"@example.com>', "a.b.c d@example.com", ""],
  ['<"a>b"@example.com> X=1', "a>b@example.com", "X=1"],
  ['<"user@evil.example"@example.com>', "user@evil.example@example.com", ""],
  ['<""@example.com>', "@example.com", ""],
  ["<user@[192.0.2.1]>", "user@[192.0.2.1]", ""],
  ["<user@[IPv6:2001:db8::1]>", "user@[IPv6:2001:db8::1]", ""],
  ["<user@a@b>", "user@a@b", ""],
  ["<user%a@b>", "user%a@b", ""],
  ["<a!b>", "a!b", ""],
  ["<a..b.@example.com.>", "a..b.@example.com.", ""],
  ["<__proto__@constructor>", "__proto__@constructor", ""],
  ["<jürgen@bücher.example>", "jürgen@bücher.example", ""],
  // The full-width commercial at is a letter like any other: the domain is the text after the real one.
  ["<user＠evil.example@example.com>", "user＠evil.example@example.com", ""],
];
for (const [text, address, rest] of accepted) {
  Deno.test(`parsePath() takes ${text}`, () => {
    assertEquals(parsePath(text), { address, rest });
  });
}

const refused: [string, string][] = [
  ["nothing", ""],
  ["an open bracket", "<user@example.com"],
  ["a closing bracket alone", "user@example.com>"],
  ["text after the bracket", "<user@example.com>SIZE=10"],
  ["two addresses", "<a@b,c@d>"],
  ["a space in the middle", "<a b@example.com>"],
  ["a comment", "<user(comment)@example.com>"],
  ["nested brackets", "<<user@example.com>>"],
  ["an open quote", '<"user@example.com>'],
  ["a quote in the middle of a word", '<us"er"@example.com>'],
  ["a NUL", "<us\0er@example.com>"],
  ["a NUL in quotes", '<"us\0er"@example.com>'],
  ["a line feed in quotes", '<"us\ner"@example.com>'],
  ["a paired carriage return", '<"us\\\rer"@example.com>'],
  ["a C1 control", "<us\u0085er@example.com>"],
  ["an empty domain", "<user@>"],
  ["a route without an address", "<@one.example:>"],
  ["a domain alone", "<@example.com>"],
  ["a colon", "<a:b@example.com>"],
  ["a semicolon", "<a;b@example.com>"],
  ["a backslash outside quotes", "<a\\b@example.com>"],
  ["a literal with a space", "<user@[192.0.2.1 ]>"],
  ["an open literal", "<user@[192.0.2.1>"],
  ["a very long address", `<${"a".repeat(MAX_ADDRESS)}@example.com>`],
];
for (const [why, text] of refused) {
  Deno.test(`parsePath() refuses ${why}`, () => {
    assertEquals(parsePath(text), undefined);
  });
}

const mailText = fc.string({
  unit: fc.constantFrom(
    ...'<>@"\\:,. []()ab!%\t\0é'.split(""),
  ),
  maxLength: 60,
});

Deno.test("parsePath() never throws, and what it takes has no control characters", () => {
  fc.assert(fc.property(fc.oneof(mailText, fc.string({ unit: anyCharacter })), (text) => {
    const path = parsePath(text);
    if (!path) return;
    assert(path.address.length <= MAX_ADDRESS);
    // deno-lint-ignore no-control-regex
    assert(!/[\u0000-\u001f\u007f-\u009f]/.test(path.address));
  }));
});

Deno.test("parsePath() reads back what external() wrote", () => {
  const printable = fc.string({ unit: fc.constantFrom(...'ab."\\ @<>(),:é'.split("")) });
  fc.assert(fc.property(printable, (local) => {
    const address = `${local}@example.com`;
    assertEquals(parsePath(`<${external(address)}>`), { address, rest: "" });
  }));
});

Deno.test("internal() undoes external() on any text", () => {
  fc.assert(fc.property(fc.oneof(mailText, fc.string({ unit: anyCharacter })), (text) => {
    assertEquals(internal(external(text)), text);
  }));
});

Deno.test("external() quotes a local part only where it must", () => {
  assertEquals(external("user+x@example.com"), "user+x@example.com");
  assertEquals(external("a b@example.com"), '"a b"@example.com');
  assertEquals(external("@example.com"), '""@example.com');
  assertEquals(external('a"b'), '"a\\"b"');
  assertEquals(external(""), "");
});

Deno.test("domainOf() takes the right-most @ and folds case", () => {
  assertEquals(domainOf("a@b@Example.COM"), "example.com");
  assertEquals(domainOf("postmaster"), "");
});

for (
  const [address, own] of [
    ["double-bounce@Mail.example.com", true],
    ["Double-Bounce@mail.example.com.", false],
    ["double-bounce@mail.example.com", true],
    ["double-bounce", true],
    ["double-bounce@elsewhere.test", false],
    ["double-bounce@example.com", false],
    ["user@mail.example.com", false],
    ["", false],
  ] as const
) {
  Deno.test(`isNotifier() says ${own} of <${address}>`, () => {
    const names = { doubleBounceSender: "Double-Bounce", mydomain: "Example.com" };
    assertEquals(isNotifier(address, { ...names, myorigin: "mail.example.com" }), own);
    assertEquals(isNotifier(address, { ...names, myorigin: "mail" }), own);
  });
}

const extensions: [string, string, string, string][] = [
  ["joe+news", "+", "joe", "+news"],
  ["joe+news+more", "+", "joe", "+news+more"],
  ["joe-a+b", "+-", "joe", "-a+b"],
  ["joe", "+", "joe", ""],
  ["joe+news", "", "joe+news", ""],
  ["+news", "+", "+news", ""],
  ["MAILER-DAEMON", "-", "MAILER-DAEMON", ""],
  ["double-bounce", "-", "double-bounce", ""],
  ["owner-list", "-", "owner-list", ""],
  ["list-request", "-", "list-request", ""],
  ["owner-list+x", "+", "owner-list", "+x"],
];
for (const [local, delimiters, user, extension] of extensions) {
  Deno.test(`splitExtension() splits ${local} at "${delimiters}"`, () => {
    assertEquals(splitExtension(local, delimiters), { user, extension });
  });
}

Deno.test("addresses are read and written in time in proportion to their text", () => {
  const parts = ["a", ".", '"', '\\"', "\\", "@", "@a", "<", "[", " ", "a,", "@a,", "é", '"".'];
  const around = ["", "<", '"', "<@", '<"', "a@", "a@["];
  for (const read of [parsePath, external, internal, domainOf]) {
    assertQuick(read, parts, { around });
  }
  assertQuick((text) => splitExtension(text, "+-"), [...parts, "+", "owner-", "-request"]);
});
