import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { Check } from "typebox/schema";
import { ConfigError, StorageError } from "../../shared/errors.ts";
import { setSink } from "../../shared/log/log.ts";
import { MAX_ADDRESS } from "../../shared/mail/envelope.ts";
import type { Resolved } from "../../shared/protocols/rewrite.ts";
import { rewriteService } from "../../shared/protocols/rewrite.ts";
import { registerTable } from "../../shared/table/table.ts";
import { recipient } from "./recipient.ts";
import { resolve } from "./resolve.ts";
import { ALIAS, HOME, MAILBOX, RELAY, resolved, settingsOf, shown } from "./testing.ts";

type Case = [why: string, address: string, expected: string, texts?: Record<string, string>];

const BAD = "error:5.1.3 bad address syntax";

const classes: Case[] = [
  ["mydestination", "user@example.com", `local ${HOME} user@example.com`],
  ["mydestination in any case", "User@EXAMPLE.com", `local ${HOME} User@EXAMPLE.com`],
  ["localhost", "user@localhost", `local ${HOME} user@localhost`],
  ["a domain below", "user@sub.example.com", "default smtp:sub.example.com user@sub.example.com"],
  ["loopback", "user@[127.0.0.1]", `local ${HOME} user@[127.0.0.1]`],
  ["our address", "user@[192.0.2.25]", `local ${HOME} user@[192.0.2.25]`],
  ["our IPv6 address", "user@[IPv6:2001:DB8:0::25]", `local ${HOME} user@[IPv6:2001:DB8:0::25]`],
  ["another address", "user@[192.0.2.26]", "default smtp:[192.0.2.26] user@[192.0.2.26]"],
  ["the address of a proxy", "user@[192.0.2.26]", `local ${HOME} user@[192.0.2.26]`, {
    proxy_interfaces: "192.0.2.26",
  }],
  ["our address, off", "user@[192.0.2.25]", "default smtp:[192.0.2.25] user@[192.0.2.25]", {
    inet_interfaces: "loopback-only",
  }],
  ["a listed interface", "user@[198.51.100.1]", `local ${HOME} user@[198.51.100.1]`, {
    inet_interfaces: "198.51.100.1, [2001:db8::1]",
  }],
  [
    "virtual alias",
    "user@alias.example",
    "alias error:5.1.1 User unknown in virtual alias table user@alias.example",
    ALIAS,
  ],
  [
    "virtual alias, table hidden",
    "u@alias.example",
    "alias error:5.1.1 User unknown u@alias.example",
    {
      ...ALIAS,
      show_user_unknown_table_name: "no",
    },
  ],
  [
    "virtual alias by default from the keys",
    "x@a.example",
    "alias error:5.1.1 User unknown in virtual alias table x@a.example",
    {
      virtual_alias_maps: "inline:{ a.example=anything }",
    },
  ],
  ["virtual mailbox", "u@box.example", "virtual virtual:box.example u@box.example", MAILBOX],
  [
    "virtual mailbox by default from the keys",
    "u@box.example",
    "virtual virtual:box.example u@box.example",
    {
      virtual_mailbox_maps: "inline:{ box.example=x, u@box.example=u/ }",
    },
  ],
  ["virtual mailbox over lmtp", "u@box.example", "virtual lmtp:unix:private/lmtp u@box.example", {
    ...MAILBOX,
    virtual_transport: "lmtp:unix:private/lmtp",
  }],
  ["relay", "u@relay.example", "relay relay:relay.example u@relay.example", RELAY],
  [
    "relay, a domain below",
    "u@a.relay.example",
    "relay relay:a.relay.example u@a.relay.example",
    RELAY,
  ],
  [
    "relay, without parents",
    "u@a.relay.example",
    "default smtp:a.relay.example u@a.relay.example",
    {
      ...RELAY,
      parent_domain_matches_subdomains: "",
    },
  ],
  ["relay by a table", "u@relay.example", "relay relay:relay.example u@relay.example", {
    relay_domains: "inline:{ relay.example=OK }",
  }],
  ["default", "u@other.example", "default smtp:other.example u@other.example"],
  ["default in upper case", "U@Other.EXAMPLE", "default smtp:other.example U@Other.EXAMPLE"],
  [
    "alias before mailbox",
    "u@box.example",
    "alias error:5.1.1 User unknown in virtual alias table u@box.example",
    {
      ...MAILBOX,
      virtual_alias_domains: "box.example",
    },
  ],
  ["local transport virtual", "u@example.com", "local virtual:example.com u@example.com", {
    local_transport: "virtual",
  }],
];

const steps: Case[] = [
  // 1: trailing dots, the null domain
  ["a trailing dot", "u@other.example.", "default smtp:other.example u@other.example"],
  ["a trailing dot at home", "u@example.com.", `local ${HOME} u@example.com`],
  ["two trailing dots", "u@other.example..", `default ${BAD} u@other.example.. error`],
  ["a dot as domain", "u@.", `default ${BAD} u@. error`],
  ["the null domain", "u@", `default ${BAD} u@ error`],
  ["the null domain, on", "u@", `local ${HOME} u@mail.example.com`, { resolve_null_domain: "yes" }],
  // 2, 3: local domains are peeled off
  ["user%b@local", "user%b.example@example.com", "default smtp:b.example user@b.example"],
  ["b!user@local", "b.example!user@example.com", "default smtp:b.example user@b.example"],
  ["user@b@local", "user@b.example@example.com", "default smtp:b.example user@b.example"],
  ["two locals", "user@example.com@localhost", `local ${HOME} user@example.com`],
  ["a local behind %", "user%localhost@example.com", `local ${HOME} user@localhost`],
  ["% twice", "user%b.example%localhost@example.com", "default smtp:b.example user@b.example"],
  [
    "! twice",
    "a.example!b.example!u@example.com",
    "default smtp:a.example b.example!u@a.example routed",
  ],
  [
    "% at home, off",
    "user%b.example@example.com",
    `local ${HOME} user%b.example@example.com routed`,
    {
      allow_percent_hack: "no",
    },
  ],
  ["! at home, off", "b!user@example.com", `local ${HOME} b!user@example.com routed`, {
    swap_bangpath: "no",
  }],
  // 4: quoted local parts are cracked open
  [
    "a quoted route",
    "two words@b.example@example.com",
    `default smtp:b.example two words@b.example`,
  ],
  ["a quoted %", "two words%b.example@example.com", "default smtp:b.example two words@b.example"],
  [
    "a quoted @, off",
    "user@b.example@example.com",
    `local ${HOME} user@b.example@example.com routed`,
    {
      resolve_dequoted_address: "no",
    },
  ],
  ["% without quotes, off", "user%b.example@example.com", "default smtp:b.example user@b.example", {
    resolve_dequoted_address: "no",
  }],
  // 5: empty local parts, no domain
  ["nothing", "", `local ${HOME} MAILER-DAEMON@mail.example.com`],
  ["no local part", "@localhost", `local ${HOME} MAILER-DAEMON@localhost`],
  ["no local part, another name", "@localhost", `local ${HOME} nobody@localhost`, {
    empty_address_recipient: "nobody",
  }],
  // The local domain that was cut off is kept: myhostname need not be a local one.
  ["no local part, not myhostname", "@ours.example", `local ${HOME} MAILER-DAEMON@ours.example`, {
    mydestination: "ours.example",
  }],
  ["no place after !", "!user@ours.example", `local ${HOME} user@ours.example`, {
    mydestination: "ours.example",
    resolve_null_domain: "yes",
  }],
  ["no local part elsewhere", "@other.example", "default smtp:other.example @other.example"],
  ["no domain", "user", `local ${HOME} user@mail.example.com`],
  [
    "no domain where we are not local",
    "user",
    "default smtp:mail.example.com user@mail.example.com",
    {
      mydestination: "",
    },
  ],
  ["no domain but %", "user%b.example", "default smtp:b.example user@b.example"],
  ["only %", "%@example.com", `default ${BAD} @ error`],
  // Validation
  ["an open literal", "u@[192.0.2.1", `default ${BAD} u@[192.0.2.1 error`],
  ["a literal that is none", "u@[192.0.2.256]", `default ${BAD} u@[192.0.2.256] error`],
  ["a bare address", "u@192.0.2.1", `default ${BAD} u@192.0.2.1 error`],
  ["a bare address, on", "u@192.0.2.1", "default smtp:[192.0.2.1] u@[192.0.2.1]", {
    resolve_numeric_domain: "yes",
  }],
  ["a space in the domain", "u@a b", `default ${BAD} u@a b error`],
  ["an empty label", "u@a..example", `default ${BAD} u@a..example error`],
  ["a hyphen in front", "u@-a.example", `default ${BAD} u@-a.example error`],
  ["an underscore", "u@_a.example", "default smtp:_a.example u@_a.example"],
  [
    "a long label",
    `u@${"a".repeat(64)}.example`,
    `default ${BAD} u@${"a".repeat(64)}.example error`,
  ],
  ["a domain in Unicode", "u@bücher.example", "default smtp:bücher.example u@bücher.example"],
  ["a domain in Unicode, off", "u@bücher.example", `default ${BAD} u@bücher.example error`, {
    smtputf8_enable: "no",
  }],
  [
    "a name of the prototype",
    "__proto__@constructor",
    "default smtp:constructor __proto__@constructor",
  ],
  // ROUTED
  ["% elsewhere", "u%a@other.example", "default smtp:other.example u%a@other.example routed"],
  ["! elsewhere", "a!u@other.example", "default smtp:other.example a!u@other.example routed"],
  ["@ elsewhere", "u@a@other.example", "default smtp:other.example u@a@other.example routed"],
  // A hyphen in front
  ["-user", "-f@other.example", "default smtp:other.example -f@other.example error"],
  ["-user, allowed", "-f@other.example", "default smtp:other.example -f@other.example", {
    allow_min_user: "yes",
  }],
];

for (const [group, cases] of Object.entries({ classes, steps })) {
  for (const [why, address, expected, texts] of cases) {
    Deno.test(`resolve() (${group}) of ${why}: ${address.slice(0, 50)}`, () => {
      assertEquals(resolved(address, texts), expected);
    });
  }
}

const failing = [
  "mydestination",
  "virtual_alias_domains",
  "virtual_mailbox_domains",
  "relay_domains",
  "transport_maps",
  "relocated_maps",
  "sender_dependent_relayhost_maps",
  "sender_dependent_default_transport_maps",
];
for (const name of failing) {
  Deno.test(`resolve() defers when a table of ${name} fails`, () => {
    assertEquals(
      resolved("u@other.example", { [name]: "fail:x" }),
      "default retry:4.3.0 address resolver failure u@other.example fail",
    );
  });
}

Deno.test("resolve() defers when a table names no usable transport", () => {
  const fail = "default retry:4.3.0 address resolver failure u@other.example fail";
  for (const value of [`${"a".repeat(65)}:x`, `a:${"x".repeat(1001)}`, "a b:x"]) {
    assertEquals(resolved("u@other.example", { transport_maps: `static:{${value}}` }), fail);
  }
});

Deno.test("resolve() defers when the address of nobody is nobody", () => {
  assertEquals(
    resolved("", { empty_address_recipient: "" }),
    "default retry:4.3.0 address resolver failure  fail",
  );
});

Deno.test("resolve() waits for a table that answers later, and only then", async () => {
  // Stands in for a type whose tables are elsewhere.
  registerTable(["sdbm"], (name, _environment, spec) => ({
    spec,
    isPattern: false,
    async lookup() {
      await Promise.resolve();
      if (name === "/fail") throw new StorageError("later: fails");
      return name.slice(1);
    },
  }));
  const settings = settingsOf({ transport_maps: "sdbm:/slow:hop" });
  const answer = resolve(settings, "", "u@other.example");
  assert(answer instanceof Promise);
  assertEquals(shown(await answer), "default slow:hop u@other.example");
  const broken = resolve(settingsOf({ relay_domains: "sdbm:/fail" }), "", "u@other.example");
  assertEquals((await broken).fail, true);
});

Deno.test("resolve() says once that a domain is in two classes", () => {
  const warnings: string[] = [];
  setSink((_severity, text) => warnings.push(text));
  const texts = {
    mydestination: "both.example",
    virtual_mailbox_domains: "both.example two.example",
    virtual_alias_domains: "two.example",
    relay_domains: "both.example",
  };
  for (let i = 0; i < 2; i++) {
    resolved("u@both.example", texts);
    resolved("u@two.example", texts);
  }
  setSink(() => {});
  assertEquals(warnings, [
    "do not list domain both.example in BOTH mydestination and virtual_mailbox_domains",
    "do not list domain two.example in BOTH virtual_alias_domains and virtual_mailbox_domains",
  ]);
});

Deno.test("Settings refuse a list or transport that cannot be understood, by name", () => {
  assertThrows(
    () => settingsOf({ default_transport: ":[hop]" }),
    ConfigError,
    'default_transport: must be transport:nexthop: is ":[hop]"',
  );
  assertThrows(() => settingsOf({ mydestination: "!" }), ConfigError, "mydestination: ");
});

Deno.test("resolve() of any text gives an answer that its declaration allows", () => {
  const settings = settingsOf({ recipient_delimiter: "+-", ...RELAY, ...ALIAS });
  const text = fc.string({
    unit: fc.constantFrom(...'ab@.!%:,[]" \\é+-', "localhost", "example.com", "[127.0.0.1]"),
    maxLength: 30,
  });
  fc.assert(fc.property(text, (address) => {
    const answer = resolve(settings, "", address) as Resolved;
    assert(!answer.fail, address);
    assert(answer.recipient.length <= MAX_ADDRESS && answer.transport.length <= 64);
    // What is sent away is never more than a change of form away from what home would refuse.
    if (answer.class === "local") {
      const local = answer.recipient.slice(0, answer.recipient.lastIndexOf("@"));
      assert(!/[@!%]/.test(local), `${address} hides a route at home: ${answer.recipient}`);
    }
  }));
});

Deno.test("recipient() of any text of any length gives what its declaration allows", () => {
  const settings = settingsOf({ recipient_delimiter: "+", append_dot_mydomain: "yes", ...RELAY });
  const { reply } = rewriteService.calls.recipient;
  const unit = fc.constantFrom(
    ...'a@.!%:[]"\\+-',
    ...["İ", "K", "ß", "\u{1f4ec}", "xn--", "__proto__", "localhost", "example.com", "192.0.2.25"],
  );
  const text = fc.tuple(fc.string({ unit, maxLength: 20 }), unit, fc.nat({ max: MAX_ADDRESS })).map(
    (
      [text, more, times],
    ) => (more.repeat(times) + text).slice(0, MAX_ADDRESS),
  );
  fc.assert(fc.property(text, text, (sender, address) => {
    const answer = recipient(settings, sender, address);
    assert(Check(reply, answer), JSON.stringify({ sender, address, answer }));
  }));
});

Deno.test("resolve() of an address made of local domains only ends in time", () => {
  const long = `u${"@localhost".repeat(99)}`;
  assertEquals(resolved(long), `local ${HOME} u@localhost`);
  assertEquals(resolved("%".repeat(MAX_ADDRESS)).endsWith("error"), true);
});
