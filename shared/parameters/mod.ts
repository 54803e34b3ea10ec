/** The catalogue: every parameter that some role declares, and what is known of those that none does. */

import { anvilParameters } from "./anvil.ts";
import { bounceParameters } from "./bounce.ts";
import { cleanupParameters } from "./cleanup.ts";
import type { Parameter, Parameters } from "./declare.ts";
import { dnsParameters } from "./dns.ts";
import { logging } from "./global.ts";
import { pickupParameters, sendmailParameters } from "./pickup.ts";
import { postlogdParameters } from "./postlogd.ts";
import { qmgrParameters } from "./qmgr.ts";
import { rewriteParameters } from "./rewrite.ts";
import { showqParameters } from "./showq.ts";
import { smtpParameters } from "./smtp.ts";
import { smtpdParameters } from "./smtpd.ts";
import { supervisorParameters } from "./supervisor.ts";
import { virtualParameters } from "./virtual.ts";

/** What each role reads beside the parameters of the log; sendmail is a command that has parameters of its own. */
const roles: Readonly<Record<string, Parameters>> = {
  supervisor: supervisorParameters,
  smtpd: smtpdParameters,
  sendmail: sendmailParameters,
  pickup: pickupParameters,
  cleanup: cleanupParameters,
  rewrite: rewriteParameters,
  qmgr: qmgrParameters,
  smtp: smtpParameters,
  dns: dnsParameters,
  showq: showqParameters,
  virtual: virtualParameters,
  bounce: bounceParameters,
  anvil: anvilParameters,
  postlogd: postlogdParameters,
};

/** The parameters that a role is handed: its own, and those of the log. */
export function parametersOf(role: string): Parameters {
  return { ...logging, ...(Object.hasOwn(roles, role) ? roles[role] : {}) };
}

// deno-lint-ignore no-explicit-any
type Any = Parameter<any>;

/** Every supported parameter by name; for one per transport, the name of its default. */
export const catalogue: ReadonlyMap<string, Any> = new Map(
  Object.values(roles).flatMap((declared) => Object.values(declared))
    .map((parameter): [string, Any] => [parameter.name, parameter]),
);

/** The supported parameters that each transport may set for itself, by the end of their names. */
export const suffixes: ReadonlyMap<string, Any> = new Map(
  [...catalogue.values()].flatMap((parameter): [string, Any][] =>
    parameter.suffix ? [[parameter.suffix, parameter]] : []
  ),
);

/** Postfix's parameters and their defaults, whether supported or not; names that start with `transport_` apart. */
const postfix = readPostfixParameters();

/** The default of a parameter that Postfix has; undefined for a name that it does not know. */
export function postfixDefault(name: string): string | undefined {
  return postfix.defaults.get(name);
}

/** No parameter's name is longer. */
const MAX_NAME_LENGTH = 256;

/** The transport of `<transport>_suffix`, if there is one of this name and a parameter of that suffix. */
export function splitTransport(
  name: string,
  transports: ReadonlySet<string>,
): { transport: string; suffix: string; fallback: string } | undefined {
  if (name.length > MAX_NAME_LENGTH) return undefined;
  for (let at = name.indexOf("_"); at > 0; at = name.indexOf("_", at + 1)) {
    const transport = name.slice(0, at), suffix = name.slice(at);
    if (!transports.has(transport)) continue;
    const supported = suffixes.get(suffix);
    const fallback = supported ? `$${supported.name}` : postfix.suffixes.get(suffix);
    if (fallback !== undefined) return { transport, suffix, fallback };
  }
  return undefined;
}

function readPostfixParameters() {
  const defaults = new Map<string, string>();
  const suffixes = new Map<string, string>();
  const text = Deno.readTextFileSync(new URL("postfix_parameters.tsv", import.meta.url));
  for (const line of text.split("\n")) {
    const [name = "", fallback = ""] = line.split("\t");
    if (!name || name.startsWith("#")) continue;
    // `transport_maps` and its kind are names of their own; those per transport default to another name.
    const template = name.startsWith("transport_") && fallback.startsWith("$");
    if (template) suffixes.set(name.slice("transport".length), fallback);
    else defaults.set(name, fallback);
  }
  return { defaults, suffixes };
}
