/** A parameter is declared once, documented, and read (STYLE C7). */

import { catalogue } from "../../shared/parameters/mod.ts";
import { none, product } from "./sources.ts";

const declarations = product.filter(({ path }) => path.startsWith("shared/parameters/"));
/** `key: time("name", ...)`, also within perTransport(...). */
const DECLARED =
  /\b(\w+):\s*(?:perTransport\(\s*|\{\s*\.\.\.)?(?:bool|int|time|text|choice|list|maps|\w+)\(\s*"([a-z][a-z0-9_]+)",\s*[\[{"]/g;

const declared = declarations.filter(({ path }) => !path.endsWith("/declare.ts")).flatMap(
  ({ path, code }) =>
    [...code.matchAll(DECLARED)].map((match) => ({ path, key: match[1]!, name: match[2]! })),
);

Deno.test("the rules see the declarations of parameters", () => {
  if (declared.length < 100) throw new Error(`only ${declared.length} were found`);
});

Deno.test("each parameter is declared once", () => {
  const seen = new Map<string, string>();
  const twice = declared.flatMap(({ name, path }) => {
    const before = seen.get(name);
    seen.set(name, path);
    return before === undefined ? [] : [`${name}: ${before} and ${path}`];
  });
  none(
    twice,
    "Keep one declaration; a parameter of several roles goes to shared/parameters/global.ts:",
  );
});

Deno.test("each parameter is documented by a sentence", () => {
  none(
    [...catalogue.values()].filter(({ doc }) => !/^\S.{8,}\S\.$/.test(doc))
      .map(({ name, doc }) => `${name}: ${JSON.stringify(doc)}`),
    "End `doc` with a full stop:",
  );
});

Deno.test("each parameter is read somewhere", () => {
  const readers = product.filter(({ path }) => !path.startsWith("shared/parameters/"))
    .map(({ code }) => code).join("\n");
  const defaults = declarations.map(({ code }) => code).join("\n");
  const unread = declared.filter(({ key, name }) =>
    !new RegExp(`\\b${key}\\b`).test(readers) &&
    !readers.includes(`"${name}"`) && !defaults.includes(`$${name}`)
  );
  none(
    unread.map(({ key, name, path }) => `${name} (${key}, ${path})`),
    "A parameter that nobody reads is a promise not kept: read it, or remove it:",
  );
});
