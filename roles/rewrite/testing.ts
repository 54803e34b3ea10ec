/** For the tests of rewrite: settings from main.cf texts. */

import { assert } from "@std/assert";
import { parseAll } from "../../shared/parameters/declare.ts";
import { rewriteParameters } from "../../shared/parameters/rewrite.ts";
import type { Resolved } from "../../shared/protocols/rewrite.ts";
import type { Environment } from "../../shared/table/table.ts";
import { resolve } from "./resolve.ts";
import { Settings } from "./settings.ts";

/** A domain of each class. */
export const ALIAS = { virtual_alias_domains: "alias.example" };
export const MAILBOX = { virtual_mailbox_domains: "box.example" };
export const RELAY = { relay_domains: "relay.example" };
/** Where local mail goes. */
export const HOME = "local:mail.example.com";

/** The host of the golden tests; no users are listed unless a test does. */
const HERE: Record<string, string> = {
  myhostname: "mail.example.com",
  mydomain: "example.com",
  myorigin: "example.com",
  mail_version: "1",
  virtual_maps: "",
  host_addresses: "192.0.2.25 2001:db8::25",
  mydestination: "$myhostname, localhost.$mydomain, localhost, example.com",
  local_recipient_maps: "",
};

/** Settings with these parameters set and the others at their defaults; `$name` is expanded. */
export function settingsOf(
  texts: Record<string, string> = {},
  environment: Environment = { clock: () => 0 },
): Settings {
  const all: Record<string, string> = {};
  for (const { name, fallback } of Object.values(rewriteParameters)) all[name] = fallback;
  Object.assign(all, HERE, texts);
  const expand = (text: string): string =>
    text.replace(/\$([a-z_]+)/g, (_, name) => expand(all[name] ?? ""));
  for (const [name, text] of Object.entries(all)) all[name] = expand(text);
  return new Settings(parseAll(rewriteParameters, all), environment);
}

/** `class transport:nexthop recipient`, then the flags that are set. */
export function shown(resolved: Resolved): string {
  const { transport, nexthop, recipient } = resolved;
  const flags = (["routed", "error", "fail"] as const).filter((flag) => resolved[flag]);
  return [resolved.class, `${transport}:${nexthop}`, recipient, ...flags].join(" ");
}

/** What an address resolves to, without waiting. */
export function resolved(address: string, texts: Record<string, string> = {}, sender = ""): string {
  const answer = resolve(settingsOf(texts), sender, address);
  assert(!(answer instanceof Promise), "tables in memory answer at once");
  return shown(answer);
}
