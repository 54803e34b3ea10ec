/** The policy table is the picture of the system (STYLE C2, C3): it and the folders agree. */

import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { policies } from "../../policies/mod.ts";
import { publicServices } from "../../shared/layout.ts";
import { imports, none, product, roleOf, root } from "./sources.ts";

/** Folders of roles/ that are no confined process: the supervisor has its own row, commands run as their user. */
const NO_ROW = new Set(["commands", "supervisor"]);
/** Services that are not a role's: the supervisor's, and one for each transport of master.cf. */
const OTHER_SERVICES = new Set(["control", "delivery"]);

const folders = [...Deno.readDirSync(join(root, "roles"))]
  .filter((entry) => entry.isDirectory && !NO_ROW.has(entry.name)).map((entry) => entry.name);
const rows = policies.map((row) => row.role);

Deno.test("each role folder has a row in policies/mod.ts", () => {
  none(folders.filter((name) => !rows.includes(name)), "Add a row to policies/mod.ts for:");
});

Deno.test("each row of policies/mod.ts has a role folder with a main.ts", () => {
  const built = new Set(product.map((source) => source.path));
  none(rows.filter((role) => !built.has(`roles/${role}/main.ts`)), "Write roles/ROLE/main.ts for:");
  assertEquals(new Set(rows).size, rows.length, "a role has two rows");
});

Deno.test("each row says why the process exists", () => {
  none(
    policies.filter((row) => !/^[a-z].{10,}[^.]$/.test(row.because)).map((row) => row.role),
    "Write `because` as half a sentence, without a full stop, for:",
  );
});

Deno.test("a role takes new parameters in place when its row says so, and only then", () => {
  const offences = policies.filter(({ role, reload }) => {
    const main = product.find(({ path }) => path === `roles/${role}/main.ts`);
    return /^ +reload[:(]/m.test(main?.text ?? "") !== (reload === "in place");
  });
  none(offences.map(({ role }) => role), "Say `in place` in the row, or give the role no reload:");
});

Deno.test("each called service has exactly one answerer", () => {
  const called = new Set(policies.flatMap((row) => row.calls));
  const offences = [...called].filter((service) => !OTHER_SERVICES.has(service)).flatMap(
    (service) => {
      const answerers = policies.filter((row) => row.answers.includes(service));
      return answerers.length === 1 ? [] : [`${service}: ${answerers.length} answerers`];
    },
  );
  none(offences, "Give each service one row that answers it, in policies/mod.ts:");
});

Deno.test("each answered service is one that somebody calls, or a public one", () => {
  const called = new Set(policies.flatMap((row) => row.calls));
  // Every role may call `log`, where there is one.
  const known = new Set([...called, ...publicServices.keys(), "log"]);
  none(
    policies.flatMap((row) => row.answers).filter((service) => !known.has(service)),
    "Nobody calls these services: remove them from `answers`, or say who calls them:",
  );
});

/** The protocol modules that the files of a role import. */
function protocolsOf(role: string): Set<string> {
  return new Set(
    product.filter((source) => roleOf(source.path) === role).flatMap((source) => imports(source))
      .flatMap((path) => /^shared\/protocols\/(\w+)\.ts$/.exec(path)?.[1] ?? []),
  );
}

/** Which protocol module declares a service. */
const declaredIn: ReadonlyMap<string, string> = new Map(
  product.filter((source) => source.path.startsWith("shared/protocols/")).flatMap((source) => {
    const file = /(\w+)\.ts$/.exec(source.path)![1]!;
    return [...source.code.matchAll(/\bservice\(\s*"(\w+)"/g)].map((match) => [match[1]!, file]);
  }),
);

/** Stubs in shared/ through which a role calls a service without importing its protocol. */
const STUBBED = new Set(["outcomes", "delivery", "log"]);

Deno.test("each call that a row grants is one that the role's code can make", () => {
  const offences = policies.flatMap((row) =>
    [...row.calls, ...row.answers].filter((service) => !STUBBED.has(service)).flatMap((service) => {
      const file = declaredIn.get(service);
      if (!file) return [`${row.role}: ${service} is not declared in shared/protocols/`];
      const named = product.some((source) =>
        roleOf(source.path) === row.role && source.code.includes(`${service}Service`)
      );
      return named && protocolsOf(row.role).has(file)
        ? []
        : [`${row.role} never names ${service}Service`];
    })
  );
  none(offences, "Take from the row what the role does not use:");
});

Deno.test("permission flags are computed, nowhere typed", () => {
  const flag = /--(allow|deny)-[a-z]/;
  none(
    product.filter((source) => !source.path.startsWith("policies/") && flag.test(source.code))
      .map((source) => source.path),
    "Let policies/ compute the flags from the row:",
  );
});
