/** For the tests of rewrite: settings from main.cf texts. */

import { parseAll } from "../../shared/parameters/declare.ts";
import { rewriteParameters } from "../../shared/parameters/rewrite.ts";
import type { Environment } from "../../shared/table/table.ts";
import { Settings } from "./settings.ts";

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
