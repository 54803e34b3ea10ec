import { assert, assertEquals } from "@std/assert";
import { recipient } from "./recipient.ts";
import { ALIAS, MAILBOX, RELAY, settingsOf } from "./testing.ts";
import { Bench } from "../../shared/table/testing.ts";

type Case = [why: string, address: string, expected: string, texts: Record<string, string>];

const LOCAL = { local_recipient_maps: "inline:{ joe=x, alias@example.com=x }" };
const BOX = {
  ...MAILBOX,
  virtual_mailbox_maps: "inline:{ joe@box.example=joe/ }",
};
const LISTED_ALIAS = {
  ...ALIAS,
  virtual_alias_maps: "inline:{ joe@alias.example=x@y, sales@example.com=x@y, s@box.example=x@y }",
};
const RELAY_LIST = { ...RELAY, relay_recipient_maps: "inline:{ joe@relay.example=x }" };
const GONE = {
  transport_maps: "inline:{ {gone.example=error:5.1.6 moved away} }",
  virtual_alias_maps: "inline:{ s@gone.example=x@y }",
};
const PLUS = { recipient_delimiter: "+" };

const cases: Case[] = [
  ["a local user", "joe@example.com", "yes", LOCAL],
  ["a local user without domain", "joe", "yes", LOCAL],
  ["a local user with extension", "joe+x@localhost", "yes", { ...LOCAL, ...PLUS }],
  ["a local user by address", "alias@example.com", "yes", LOCAL],
  ["an unknown local user", "jane@example.com", "no", LOCAL],
  ["an unknown local user who is an alias", "sales@example.com", "yes", {
    ...LOCAL,
    ...LISTED_ALIAS,
  }],
  ["any local user", "jane@example.com", "any", { local_recipient_maps: "" }],
  ["a local user behind %", "joe%localhost@example.com", "yes", LOCAL],
  ["postmaster", "PostMaster", "yes", LOCAL],
  ["postmaster of a local domain", "Postmaster@example.com", "yes", LOCAL],
  ["postmaster of a mailbox domain", "postmaster@box.example", "no", BOX],
  ["double-bounce", "double-bounce@example.com", "yes", LOCAL],
  ["double_bounce_sender, in any case", "reports@example.com", "yes", {
    ...LOCAL,
    double_bounce_sender: "Reports",
  }],
  ["double-bounce of a mailbox domain", "double-bounce@box.example", "no", BOX],
  ["a local table that fails", "jane@example.com", "fail", { local_recipient_maps: "fail:x" }],
  ["a mailbox", "joe@box.example", "yes", BOX],
  ["a mailbox with extension", "joe+x@box.example", "yes", { ...BOX, ...PLUS }],
  ["no mailbox", "jane@box.example", "no", BOX],
  ["no mailbox but an alias", "s@box.example", "yes", { ...BOX, ...LISTED_ALIAS }],
  ["any mailbox", "jane@box.example", "any", { virtual_mailbox_domains: "box.example" }],
  ["a bare user is no mailbox", "joe@box.example", "no", {
    ...BOX,
    virtual_mailbox_maps: "inline:{ joe=x }",
  }],
  ["an alias", "joe@alias.example", "yes", LISTED_ALIAS],
  ["no alias", "jane@alias.example", "no", LISTED_ALIAS],
  ["no alias where there is no table", "jane@alias.example", "no", {
    virtual_alias_domains: "alias.example",
  }],
  ["a table of aliases that fails", "jane@alias.example", "fail", {
    ...LISTED_ALIAS,
    virtual_alias_maps: "fail:x",
  }],
  ["a relay recipient", "joe@relay.example", "yes", RELAY_LIST],
  ["no relay recipient", "jane@relay.example", "no", RELAY_LIST],
  ["any relay recipient", "jane@relay.example", "any", RELAY],
  ["somebody elsewhere", "jane@other.example", "any", LOCAL],
  ["somebody whose transport is error", "jane@gone.example", "error", GONE],
  ["somebody whose transport is retry", "jane@busy.example", "error", {
    transport_maps: "inline:{ {busy.example=retry:4.2.2 later} }",
  }],
  ["an alias where the transport is error", "s@gone.example", "yes", GONE],
  ["a bad address", "jane@a..b", "any", LOCAL],
  ["a resolver that fails", "jane@other.example", "fail", { relay_domains: "fail:x" }],
];
for (const [why, address, expected, texts] of cases) {
  Deno.test(`recipient() lists ${why}: ${expected}`, () => {
    const answer = recipient(settingsOf(texts), "", address);
    assert(!(answer instanceof Promise));
    assertEquals(answer.listed, expected);
  });
}

Deno.test("recipient() brings the address to standard form and resolves it", () => {
  const answer = recipient(settingsOf({ append_dot_mydomain: "yes" }), "", "other!joe");
  assertEquals(answer, {
    resolved: {
      transport: "smtp",
      nexthop: "other.example.com",
      recipient: "joe@other.example.com",
      class: "default",
      routed: false,
      error: false,
      fail: false,
    },
    listed: "any",
  });
});

Deno.test("recipient() reads the files of alias_maps in their own format", () => {
  using bench = new Bench();
  const path = bench.write("aliases", "postmaster: root\nsales: joe\n");
  const settings = settingsOf({
    alias_maps: `hash:${path}`,
    local_recipient_maps: "proxy:unix:passwd.byname $alias_maps",
  }, bench.environment);
  const listed = (address: string) => {
    const answer = recipient(settings, "", address);
    return answer instanceof Promise ? undefined : answer.listed;
  };
  assertEquals(listed("sales@example.com"), "yes");
  assertEquals(listed("postmaster@example.com"), "yes");
  assertEquals(listed("root@example.com"), "yes");
  assertEquals(listed("nobody-of-that-name@example.com"), "no");
});
