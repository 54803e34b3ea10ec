import { assert, assertEquals, assertThrows } from "@std/assert";
import { StorageError } from "../../shared/errors.ts";
import { Bench } from "../../shared/table/testing.ts";
import { lookupAlias, lookupMailbox } from "./lookup.ts";
import { run } from "./steps.ts";
import type { Settings } from "./settings.ts";
import { settingsOf } from "./testing.ts";

/** What virtual_alias_maps have of the address, then the extension that its members get. */
function alias(settings: Settings, address: string): string | null {
  const found = run(lookupAlias(settings, address));
  assert(!(found instanceof Promise), "tables in memory answer at once");
  return found.extension === undefined ? found.value : `${found.value} ${found.extension}`;
}

type Case = [
  why: string,
  table: string,
  address: string,
  expected: string | null,
  texts?: Record<string, string>,
];

const PLUS = { recipient_delimiter: "+" };
const aliases: Case[] = [
  ["the address", "{ u@o.example=a@b }", "u@o.example", "a@b"],
  ["any case", "{ u@o.example=a@b }", "U@O.Example", "a@b"],
  ["not there", "{ u@o.example=a@b }", "v@o.example", null],
  ["the domain", "{ @o.example=a@b }", "u@o.example", "a@b"],
  ["the address before the domain", "{ @o.example=x, u@o.example=a@b }", "u@o.example", "a@b"],
  ["the bare user of our domain", "{ u=a@b }", "u@localhost", "a@b"],
  ["the bare user of our origin", "{ u=a@b }", "u@origin.example", "a@b", {
    myorigin: "origin.example",
  }],
  ["the bare user of our address", "{ u=a@b }", "u@[127.0.0.1]", "a@b"],
  ["no bare user of another domain", "{ u=a@b }", "u@o.example", null],
  ["the bare user before the domain", "{ u=a@b, @localhost=x }", "u@localhost", "a@b"],
  ["no part where there is no delimiter", "{ u@o.example=a@b }", "u+x@o.example", null],
  [
    "the extension first",
    "{ u+x@o.example=ext@b, u@o.example=a@b }",
    "u+x@o.example",
    "ext@b",
    PLUS,
  ],
  [
    "without the extension, which is copied",
    "{ u@o.example=a@b }",
    "u+x@o.example",
    "a@b +x",
    PLUS,
  ],
  ["not copied where that is off", "{ u@o.example=a@b }", "u+x@o.example", "a@b", {
    ...PLUS,
    propagate_unmatched_extensions: "canonical",
  }],
  ["bare with extension", "{ u+x=a@b, u=c@d }", "u+x@localhost", "a@b", PLUS],
  ["bare without extension", "{ u=c }", "u+x@localhost", "c +x", PLUS],
  ["the domain, the extension left out", "{ @o.example=a@b }", "u+x@o.example", "a@b", PLUS],
  ["the same user elsewhere, and others", "{ { @o.example = @b, c@d } }", "u@o.example", "@b, c@d"],
  [
    "several, each of which gets the extension",
    '{ { u@o.example = a@b, c, "d e"@f } }',
    "u+x@o.example",
    'a@b, c, "d e"@f +x',
    PLUS,
  ],
  ["a quoted key", '{ { "a b"@o.example = x@y } }', "a b@o.example", "x@y"],
  ["a quoted key written without quotes", "{ { a b@o.example = x@y } }", "a b@o.example", "x@y"],
  ["another delimiter of two", "{ u@o.example=a@b }", "u-x@o.example", "a@b -x", {
    recipient_delimiter: "+-",
  }],
  ["a list request", "{ list@o.example=a@b }", "list-request@o.example", null, {
    recipient_delimiter: "-",
  }],
  [
    "a list request, not special",
    "{ list@o.example=a@b }",
    "list-request@o.example",
    "a@b -request",
    {
      recipient_delimiter: "-",
      owner_request_special: "no",
    },
  ],
];
for (const [why, table, address, expected, texts] of aliases) {
  Deno.test(`lookup() in virtual_alias_maps finds ${why}`, () => {
    const settings = settingsOf({ ...texts, virtual_alias_maps: `inline:${table}` });
    assertEquals(alias(settings, address), expected);
  });
}

Deno.test("lookup() asks all tables for a key before it asks for the next key", () => {
  const settings = settingsOf({
    virtual_alias_maps: "inline:{@o.example=domain@x} inline:{u@o.example=user@x}",
  });
  assertEquals(alias(settings, "u@o.example"), "user@x");
});

Deno.test("lookup() shows pattern tables the whole address only", () => {
  using bench = new Bench();
  const path = bench.write("patterns", "/^u@localhost$/ without\n/^u$/ bare\n/^@/ domain\n");
  const texts = { ...PLUS, virtual_alias_maps: `pcre:${path}` };
  const settings = settingsOf(texts, bench.environment);
  assertEquals(alias(settings, "u+x@localhost"), null);
  assertEquals(alias(settings, "u@localhost"), "without");
});

Deno.test("what chooses a mailbox or a transport takes no part of an address, what rewrites does", () => {
  using bench = new Bench();
  const path = bench.write("patterns", "/^(.*)@o/ $1@x\n/^u@o/ plain\n");
  const texts = Object.fromEntries(
    ["virtual_alias_maps", "virtual_mailbox_maps", "transport_maps"]
      .map((name) => [name, `regexp:${path}`]),
  );
  const settings = settingsOf(texts, bench.environment);
  assertEquals(alias(settings, "u@o"), "u@x");
  assertEquals(run(lookupMailbox(settings, settings.virtualMailboxMaps, "u@o")), {
    value: "plain",
  });
  assertEquals(settings.transportMaps.lookup("u@o"), "plain");
});

Deno.test("lookup() fails when a table does, also after keys that were not found", () => {
  const texts = { virtual_alias_maps: "inline:{a=b} fail:x" };
  assertThrows(() => alias(settingsOf(texts), "u@o.example"), StorageError);
});

const mailboxes: [why: string, table: string, address: string, expected: string | null][] = [
  ["the address", "{ u@box.example=box/u/ }", "u@box.example", "box/u/"],
  ["without extension, and copies none", "{ u@box.example=box/u/ }", "u+x@box.example", "box/u/"],
  ["with extension", "{ u+x@box.example=x/, u@box.example=u/ }", "u+x@box.example", "x/"],
  ["the domain", "{ @box.example=all/ }", "u@box.example", "all/"],
  ["no bare user", "{ u=all/ }", "u@localhost", null],
  ["a value with an @ in front, as it is", "{ @box.example=@x/ }", "u@box.example", "@x/"],
];
for (const [why, table, address, expected] of mailboxes) {
  Deno.test(`lookup() in virtual_mailbox_maps finds ${why}`, () => {
    const settings = settingsOf({ ...PLUS, virtual_mailbox_maps: `inline:${table}` });
    assertEquals(run(lookupMailbox(settings, settings.virtualMailboxMaps, address)), {
      value: expected,
    });
  });
}
