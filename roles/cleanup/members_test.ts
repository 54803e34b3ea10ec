import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { external } from "../../shared/mail/address.ts";
import { anyCharacter, assertQuick, near } from "../../tests/support/hostile.ts";
import { readMembers } from "./members.ts";

function members(text: string): readonly string[] | undefined {
  return readMembers(text)?.members;
}

for (
  const [why, text, expected] of [
    ["addresses between commas", "a@x, b@y,c@z", ["a@x", "b@y", "c@z"]],
    ["addresses between spaces", "anna bob\tcleo@x", ["anna", "bob", "cleo@x"]],
    ["both, and semicolons", "anna, bob cleo; dora", ["anna", "bob", "cleo", "dora"]],
    ["commas with nothing between", ",a@x,, b@y,", ["a@x", "b@y"]],
    ["names before angle brackets", 'Bob Q. Public <b@x>, "C, D" <c>', ["b@x", "c"]],
    ["angle brackets side by side", "<a@x><b@y> Cleo <c@z>", ["a@x", "b@y", "c@z"]],
    ["what follows angle brackets", "<a@x> bob", ["a@x", "bob"]],
    ["comments", "(all) a@x (Anna (A.)), bob(b),(c) cleo", ["a@x", "bob", "cleo"]],
    ["quoted local parts", '"a b"@x, "a, b", "@r:c"@y', ["a b@x", "a, b", "@r:c@y"]],
    ["domain literals", "a@[192.0.2.1] b@[IPv6:2001:db8::1]", [
      "a@[192.0.2.1]",
      "b@[IPv6:2001:db8::1]",
    ]],
    ["several @", "anna, bob@b@c.example", ["anna", "bob@b@c.example"]],
    ["stray dots", "a.@x .b@y c@z.", ["a.@x", ".b@y", "c@z."]],
    ["a dot that ends a member", "bob@b. anna", ["bob@b.", "anna"]],
    ["UUCP and percent forms", "a!b!c, a%b@c", ["a!b!c", "a%b@c"]],
    ["commands and files, whoever may want them", "|cat /x", ["|cat", "/x"]],
  ] as const
) {
  Deno.test(`readMembers() reads ${why}`, () => assertEquals(members(text), [...expected]));
}

for (
  const [why, text] of [
    ["nothing", " , "],
    ["an @ without a domain", "anna, user(x)@, cleo"],
    ["an @ without a user", "anna, @x"],
    ["the same user in two domains", "@x @y"],
    ["the same user at two domains", "@x@y"],
    ["an @ between spaces", "anna @ x"],
    ["@ beside @", "a@@x"],
    ["a domain of a dot", "a@."],
    ["an empty path", "anna, <>"],
    ["two words in angle brackets", "<anna bob>"],
    ["angle brackets in angle brackets", "<a <b>>"],
    ["a bracket that never closes", "anna, Bob <bob@x"],
    ["a bracket that was never open", "anna, bob@x>"],
    ["an address before angle brackets", "anna@x <bob@y>"],
    ["a comment that never closes", "anna (b, cleo"],
    ["a comment whose end is quoted", "anna (b, cleo\\)"],
    ["a comment that was never open", "anna b), cleo"],
    ["a quote that never closes", 'anna, "bob, cleo'],
    ["a literal that never closes", "anna, b@[192.0.2.1, cleo"],
    ["a literal that is no domain", "anna, [x]"],
    ["a quote inside a word", 'a"b"@x'],
    ["a quoted domain", 'a@"x"'],
    ["a route", "<@a,@b:c@x>"],
    ["a group", "team: anna, bob;"],
    ["a file to include", ":include:/etc/list"],
    ["a control character", "anna, b\x01b"],
    ["a quoted line break", 'anna, "b\tb"'],
  ] as const
) {
  Deno.test(`readMembers() refuses a list with ${why}`, () => {
    assertEquals(readMembers(text), undefined);
  });
}

Deno.test("readMembers() takes a domain in front for the same user there", () => {
  assertEquals(readMembers("@x, b@y")?.sameUser, true);
  assertEquals(members("@x, b@y"), ["@x", "b@y"]);
  assertEquals(readMembers('"@x"@z, b@y')?.sameUser, false);
});

Deno.test("readMembers() reads what external() wrote, in every form and between all separators", () => {
  const local = fc.oneof(
    fc.stringMatching(/^[a-z0-9_]{1,10}$/),
    fc.constantFrom("a b", 'q"q', "__proto__", "b\\", "@x:y", "\u00e9"),
  );
  const address = fc.tuple(local, fc.constantFrom("@b.test", "@[192.0.2.1]"))
    .map((parts) => parts.join(""));
  const forms = ["ADDRESS", "<ADDRESS>", "A. B <ADDRESS>", "ADDRESS (c)"];
  const written = fc.tuple(address, fc.constantFrom(...forms), fc.constantFrom(",", " , ", ";"));
  fc.assert(fc.property(fc.array(written, { minLength: 1 }), (all) => {
    const text = all.map(([address, form, between]) =>
      form.replace("ADDRESS", () => external(address)) + between
    );
    assertEquals(members(text.join("")), all.map(([address]) => address));
  }));
});

Deno.test("readMembers() leaves out no word but names and comments, in time", () => {
  const parts = ["a", "@", ".", '"', "\\", ",", " ", "<", ">", "(", ")", "[", "]", ":", ";"];
  fc.assert(fc.property(near(...parts), (text) => {
    const found = members(text);
    // Without names, comments and quotes every character is a separator, also within a literal, or in a member.
    if (!found || /[<("\\]/.test(text)) return;
    const separators = /[,; \t\r\n]/g;
    assertEquals(found.join("").replace(separators, ""), text.replace(separators, ""));
  }));
  fc.assert(fc.property(fc.string({ unit: anyCharacter }), (text) => {
    for (const member of members(text) ?? []) assert(member && !member.endsWith("@"));
  }));
  assertQuick(readMembers, parts.concat("a,", "a@", "@[", "[1]", "a.", '"a"'), {
    around: ["", "<", '"', "(", "a@"],
  });
});
