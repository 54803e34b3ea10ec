/**
 * No regular expression of the product backtracks (DESIGN 1: everything is bounded): one line that matches in two ways at each
 * char would hold up a role, and all its clients, for good. What `redos-detector` cannot clear is listed with the reason why
 * its input does no harm.
 */

import { assert } from "@std/assert";
import { isSafe } from "redos-detector";
import { none, product, type Source } from "./sources.ts";

const CONFIGURATION = "what the administrator wrote";
const REPLACES = "takes the rest of a text that ends there";

/** Files whose expressions are not all cleared, and why that is harmless. */
const LISTED = new Map([
  ["policies/grant.ts", CONFIGURATION],
  ["policies/settings.ts", CONFIGURATION],
  ["roles/commands/compile.ts", "what Deno prints"],
  ["roles/commands/postconf.ts", CONFIGURATION],
  ["roles/commands/role_talk.ts", "what the developer types"],
  ["roles/commands/sendmail_smtp.ts", "one line of the calling user, in that user's process"],
  ["roles/postlogd/syslog.ts", "starts with a fixed text, and then takes everything"],
  ["roles/supervisor/every_problem.ts", REPLACES],
  ["roles/supervisor/tls_material.ts", CONFIGURATION],
  ["roles/virtual/trouble.ts", "what the system says, with a path of at most 4096 bytes"],
  ["shared/config/expand.ts", CONFIGURATION],
  ["shared/config/inet_name.ts", CONFIGURATION],
  ["shared/mail/address_parse.ts", "one address literal, which ends at the next bracket"],
  ["shared/maildrop/address_list.ts", "a quoted string, of which nothing can be read in two ways"],
  ["shared/net/network.ts", REPLACES],
  ["shared/net/nexthop.ts", CONFIGURATION],
  ["shared/smtp/forbidden_commands.ts", CONFIGURATION],
  ["shared/table/cidr.ts", CONFIGURATION],
  ["shared/table/pattern.ts", CONFIGURATION],
  ["shared/table/posix_bracket.ts", CONFIGURATION],
  ["shared/table/posix_pattern.ts", CONFIGURATION],
  ["shared/table/texthash.ts", CONFIGURATION],
]);

/** Enough for every expression that is simple; by steps, since time depends on the machine. */
const LIMITS = { maxSteps: 3000, timeout: Infinity };

/** The expressions that stand in a file as literals. */
function expressions({ path, text }: Source): RegExp[] {
  const plugin: Deno.lint.Plugin = {
    name: "expressions",
    rules: {
      each: {
        create: (context) => ({
          Literal(node) {
            if (!("regex" in node && node.regex)) return;
            context.report({ node, message: JSON.stringify(node.regex) });
          },
        }),
      },
    },
  };
  return Deno.lint.runPlugin(plugin, path, text).map(({ message }) => {
    const { pattern, flags } = JSON.parse(message);
    return new RegExp(pattern, flags);
  });
}

Deno.test("no regular expression backtracks on what others send", () => {
  const offences = product.filter(({ path }) => !LISTED.has(path)).flatMap((source) =>
    expressions(source)
      .filter((expression) => !isSafe(expression, LIMITS).safe)
      .map((expression) => `${source.path}: ${expression}`)
  );
  none(offences, "Write these so that no text matches them in two ways:");
});

Deno.test("what is listed is there, and the detector finds what backtracks", () => {
  const files = new Map(product.map((source) => [source.path, source]));
  const idle = [...LISTED.keys()].filter((path) => {
    const source = files.get(path);
    return !source || expressions(source).every((each) => isSafe(each, LIMITS).safe);
  });
  none(idle, "Remove these from the list:");
  assert(!isSafe(/^([!-~]|\\x\{[0-9A-F]+\})*$/, LIMITS).safe);
});
