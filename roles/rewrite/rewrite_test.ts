import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { MAX_ADDRESS } from "../../shared/mail/envelope.ts";
import { rewrite, rewriteExposed } from "./rewrite.ts";
import { settingsOf } from "./testing.ts";

type Case = [address: string, expected: string, texts?: Record<string, string>];

const NO_ORIGIN = { append_at_myorigin: "no" };
const DOT = { append_dot_mydomain: "yes" };

/** Reference 5.3, step by step, in local context: myorigin and mydomain are example.com. */
const local: Case[] = [
  // (1) the empty address
  ["", ""],
  // (2) a lone @
  ["@", ""],
  // (3) a source route is left out where an address is read: what looks like one here was quoted
  ["@x:y@other.example", "@x:y@other.example"],
  ["@one,@two:user@other.example", "@one,@two:user@other.example"],
  ["@other", "@other.example.com", DOT],
  // (4) no domain: bang, percent, origin
  ["user", "user@example.com"],
  ["user", "user", NO_ORIGIN],
  ["a!b", "b@a"],
  ["a!b!c", "b!c@a"],
  ["a!b%c", "b%c@a"],
  ["a!b", "a!b@example.com", { swap_bangpath: "no" }],
  ["a!b", "a!b", { swap_bangpath: "no", ...NO_ORIGIN }],
  ["user%other.example", "user@other.example"],
  ["user%one%two.example", "user%one@two.example"],
  ["user%other.example", "user%other.example@example.com", { allow_percent_hack: "no" }],
  ["a!b%c.example", "a!b@c.example", { swap_bangpath: "no" }],
  ["user%a@other.example", "user%a@other.example"],
  ["a!user@other.example", "a!user@other.example"],
  ["two words", "two words@example.com"],
  // Quoted text is one word: nothing in it is an operator.
  ["two words!here", "two words!here@example.com"],
  ["two words%here", "two words%here@example.com"],
  // (5) a domain without a dot
  ["user@host", "user@host"],
  ["user@host", "user@host.example.com", DOT],
  ["user@host.example", "user@host.example", DOT],
  ["user@[192.0.2.1]", "user@[192.0.2.1]", DOT],
  ["user@", "user@", DOT],
  ["host!user", "user@host.example.com", DOT],
  ["user", "user@example.com", DOT],
  ["user@a@host", "user@a@host.example.com", DOT],
  // (6) a trailing dot
  ["user@other.example.", "user@other.example"],
  ["user@other.example..", "user@other.example.."],
  ["user@.", "user@."],
  ["user.", "user.@example.com"],
  ["user@host.", "user@host", DOT],
];
for (const [address, expected, texts] of local) {
  const how = texts
    ? ` with ${Object.entries(texts).map((pair) => pair.join("=")).join(", ")}`
    : "";
  Deno.test(`rewrite() makes "${address}" into "${expected}"${how}`, () => {
    assertEquals(rewrite(settingsOf(texts).params, "local", address), expected);
  });
}

const exposed: Case[] = [
  ["@one,@two:user@other.example", "user@other.example"],
  ["@one:user", "user@example.com"],
  ["@one:", "@one:"],
  ["@one:a:b@c.example", "a:b@c.example"],
];
for (const [text, expected] of exposed) {
  Deno.test(`rewriteExposed() makes "${text}" into "${expected}"`, () => {
    assertEquals(rewriteExposed(settingsOf().params, text), expected);
  });
}

const REMOTE = { remote_header_rewrite_domain: "domain.invalid" };
const remote: Case[] = [
  ["user", "user"],
  ["user", "user@domain.invalid", REMOTE],
  ["user@host", "user@host.domain.invalid", { ...REMOTE, ...DOT }],
  ["user@host", "user@host", DOT],
  ["a!b", "b@a"],
  ["user@other.example.", "user@other.example"],
];
for (const [address, expected, texts] of remote) {
  Deno.test(`rewrite() makes "${address}" of remote mail into "${expected}" (${texts ? "set" : "default"})`, () => {
    assertEquals(rewrite(settingsOf(texts).params, "remote", address), expected);
  });
}

Deno.test("rewrite() leaves an address that would get too long", () => {
  const long = "a".repeat(MAX_ADDRESS);
  assertEquals(rewrite(settingsOf().params, "local", long), long);
});

Deno.test("rewrite() never throws and never makes an address longer than what is kept", () => {
  const { params } = settingsOf(DOT);
  const text = fc.string({ unit: fc.constantFrom(...'ab@.!%:,[]" \\é'.split("")), maxLength: 30 });
  fc.assert(fc.property(text, (address) => {
    assert(rewrite(params, "local", address).length <= MAX_ADDRESS);
  }));
});

Deno.test("rewrite() of what it made changes nothing more", () => {
  const { params } = settingsOf();
  for (const [address] of local.filter(([address]) => !address.endsWith(".."))) {
    const once = rewrite(params, "local", address);
    if (/[:@]$|\.@/.test(once)) continue;
    assertEquals(rewrite(params, "local", once), once);
  }
});
