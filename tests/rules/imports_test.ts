/** Imports go one way: roles to shared/protocols to shared to the platform (DESIGN 8, STYLE C5). */

import { imports, none, product, roleOf, sources } from "./sources.ts";

/** The parts of shared/ that are stubs of services, or say what a protocol carries: they may know the protocols. */
const STUBS = [
  "shared/protocols/",
  "shared/role/",
  "shared/delivery/",
  "shared/queue/",
  "shared/rewrite_cache.ts",
];

/** Commands run in the user's process; `serve` is the supervisor, `start` runs it, `check` asks what it would, `policy` shows and tries the table. */
const ALLOWED = [
  { from: "roles/commands/serve.ts", to: "roles/supervisor/" },
  { from: "roles/commands/start.ts", to: "roles/supervisor/" },
  // There is one list of libc's calls.
  { from: "roles/commands/as_owner.ts", to: "roles/supervisor/libc.ts" },
  { from: "roles/commands/check.ts", to: "roles/supervisor/every_problem.ts" },
  { from: "roles/commands/policy", to: "policies/" },
  { from: "roles/commands/policy", to: "roles/supervisor/" },
  { from: "roles/commands/compile.ts", to: "policies/" },
  { from: "roles/commands/role", to: "policies/" },
  { from: "roles/commands/role", to: "roles/supervisor/" },
  { from: "roles/supervisor/", to: "policies/" },
  // Which daemons master.cf may name is said by the rows; the table itself imports nothing.
  { from: "shared/config/daemons.ts", to: "policies/mod.ts" },
];

const edges = product.flatMap((source) => imports(source).map((to) => ({ from: source.path, to })));

function offences(forbidden: (from: string, to: string) => boolean): string[] {
  return edges.filter(({ from, to }) =>
    forbidden(from, to) &&
    !ALLOWED.some((each) => from.startsWith(each.from) && to.startsWith(each.to))
  ).map(({ from, to }) => `${from} imports ${to}`);
}

Deno.test("the rules see the imports", () => {
  if (edges.length < 300) throw new Error(`only ${edges.length} imports were found`);
});

Deno.test("a role never imports another role", () => {
  none(
    offences((from, to) => {
      const role = roleOf(from), other = roleOf(to);
      return role !== undefined && other !== undefined && role !== other;
    }),
    "Roles meet only in shared/protocols/: declare a call there, or move what both need to shared/.",
  );
});

Deno.test("shared never imports roles, policies, tests or main.ts", () => {
  none(
    offences((from, to) =>
      from.startsWith("shared/") && /^(roles|policies|tests)\/|^main\.ts/.test(to)
    ),
    "Move what is needed down into shared/, or pass it in.",
  );
});

Deno.test("in shared, only the stubs of services know the protocols", () => {
  none(
    offences((from, to) =>
      from.startsWith("shared/") && to.startsWith("shared/protocols/") &&
      !STUBS.some((stub) => from.startsWith(stub))
    ),
    "What is below shared/protocols/ must not know who asks whom: pass the answer in.",
  );
});

Deno.test("protocols know neither how roles run nor how they keep things", () => {
  none(
    offences((from, to) =>
      from.startsWith("shared/protocols/") && to.startsWith("shared/") &&
      !/^shared\/(protocols|ipc\/(declare|schema)\.ts|mail)/.test(to)
    ),
    "A protocol is a declaration: it may import shared/ipc/declare.ts and schema.ts, shared/mail and other protocols.",
  );
});

Deno.test("policies import nothing but shared", () => {
  none(
    offences((from, to) => from.startsWith("policies/") && /^(roles|tests)\/|^main\.ts/.test(to)),
    "policies/ must not depend on what it confines.",
  );
});

Deno.test("the policy table imports nothing, so that it reads as a picture", () => {
  none(edges.filter(({ from }) => from === "policies/mod.ts").map(({ to }) => to), "Take out:");
});

Deno.test("only the supervisor and the policy command import policies", () => {
  none(
    offences((from, to) => to.startsWith("policies/") && !from.startsWith("policies/")),
    "A role does not look at its own rights: it gets what it needs by its control channel.",
  );
});

Deno.test("nothing that runs imports tests", () => {
  const tests = new Set(sources.filter((source) => source.test).map((source) => source.path));
  none(
    offences((_, to) => tests.has(to)),
    "Move it to shared/, or name the importing file ..._test.ts.",
  );
});

Deno.test("only shared/ipc/schema.ts knows TypeBox's builder, and for its types alone", () => {
  const loads = product.filter(({ code }) => /^import (?!type ).*from "typebox"/m.test(code));
  none(
    [
      ...offences((from, to) => to === "typebox" && from !== "shared/ipc/schema.ts"),
      ...loads.map(({ path }) => `${path} loads it`),
    ],
    "Its three hundred modules would be a quarter of every role's start: use shared/ipc/schema.ts.",
  );
});
