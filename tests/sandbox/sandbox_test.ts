/**
 * Each role's row, tried from inside: what it does not grant is refused, by Deno's permissions alone, by bubblewrap
 * alone (there Deno permits the probe everything), by the permissions of a worker, and by all together; what it grants
 * works. Where nothing refuses, every attempt succeeds: none is refused by accident.
 */

import { assertEquals } from "@std/assert";
import { attempts, granted } from "../../policies/attempts.ts";
import { bwrapArguments, disguised } from "../../policies/bwrap.ts";
import { answersOf, grantOf } from "../../policies/grant.ts";
import { policies, policyOf, type Row } from "../../policies/mod.ts";
import { Decoys } from "../../roles/commands/policy_decoys.ts";
import {
  bwrapAlone,
  denoAlone,
  type Finding,
  type Start,
  together,
  type Trial,
  tryGrant,
} from "../../roles/commands/policy_probe.ts";
import { readHost } from "../../roles/supervisor/host.ts";
import { roleEnvironment } from "../../roles/supervisor/launch.ts";
import { bindsOf } from "../../roles/supervisor/own_sockets.ts";
import { chooseLayers, findRuntime, reachable } from "../../roles/supervisor/runtime.ts";
import { Place, SERVICES } from "./place.ts";

const host = readHost("nobody");
const layers = await chooseLayers("auto", host);
const workers = await chooseLayers("worker", host);
const stage = reachable(findRuntime(), host, { ...layers, bwrap: undefined });
addEventListener("unload", () => stage[Symbol.dispose]());

/** How a role of a place is started, with the probe for its code. */
function startIn(place: Place, decoys: Decoys): Start {
  return {
    runtime: { ...stage.runtime, probe: decoys.probe },
    layers,
    host,
    binds: ({ row, service }) => {
      const endpoints = row.inet ? [{ address: "127.0.0.1", port: 2525 }] : [];
      return bindsOf(place.queue, answersOf(row, service, place.settings), endpoints, 1);
    },
  };
}

type MakeTrial = (start: Start) => Trial;

/** What a probe under one row hears in one trial. */
async function heard(row: Row, make: MakeTrial): Promise<Finding[]> {
  using place = new Place(host);
  using decoys = new Decoys(place.queue, host);
  const grant = grantOf(row, row.role, place.settings, host);
  return await tryGrant(grant, make(startIn(place, decoys)), decoys, SERVICES);
}

/** Nothing came through that must not, and what is granted works. */
async function assertHolds(row: Row, make: MakeTrial): Promise<void> {
  const bad = (await heard(row, make)).filter(({ result }) =>
    result === "FAILS" || result === "ALLOWED"
  );
  assertEquals(bad.map(({ name, result, reason }) => `${name}: ${result}: ${reason}`), []);
}

for (const row of policies) {
  Deno.test(`policy of ${row.role}: Deno refuses what the row does not grant`, async () => {
    await assertHolds(row, denoAlone);
  });

  Deno.test(`policy of ${row.role}: a worker refuses what the row does not grant`, async () => {
    await assertHolds(row, (start) => denoAlone({ ...start, layers: workers }));
  });

  Deno.test({
    name: `policy of ${row.role}: bubblewrap refuses what the row does not grant`,
    ignore: !layers.bwrap,
    fn: () => assertHolds(row, bwrapAlone),
  });

  Deno.test({
    name: `policy of ${row.role}: both layers together refuse what the row does not grant`,
    ignore: !layers.bwrap,
    fn: () => assertHolds(row, together),
  });
}

/** Started with every right, in no layer. */
function unconfined({ runtime }: Start): Trial {
  return {
    name: "unconfined",
    runtime,
    active: ["deno", "bwrap", "users"],
    everything: true,
    command: () => [disguised(runtime.deno), "run", "--quiet", "-A", runtime.probe!],
    environment: { ...Deno.env.toObject(), ...roleEnvironment(runtime) },
  };
}

Deno.test("every attempt succeeds where nothing refuses it", async () => {
  const tried = new Set<string>();
  for (const role of ["cleanup", "pickup", "rewrite", "virtual"]) {
    for (const { name, result } of await heard(policyOf(role)!, unconfined)) {
      if (result === "-") continue;
      if (attempts.some((each) => each.name === name)) {
        assertEquals([name, result], [name, "ALLOWED"]);
      }
      tried.add(name);
    }
  }
  // Nobody but root can give a file away.
  const all = [...attempts, ...granted].map(({ name }) => name)
    .filter((name) => host.root || name !== "make a set-id file");
  assertEquals(all.filter((name) => !tried.has(name)), []);
});

Deno.test("without bubblewrap only another user keeps a role from a peer's socket", async () => {
  const alone = (start: Start) => together({ ...start, layers: { ...layers, bwrap: undefined } });
  const allowed = (await heard(policyOf("smtpd")!, alone)).filter(({ result }) =>
    result === "ALLOWED"
  );
  assertEquals(allowed.map(({ name }) => name), host.root ? [] : ["take over a socket"]);
});

Deno.test("a role that is given too much is found out", async () => {
  const row = { ...policyOf("anvil")!, calls: ["cleanup"], reads: ["database"] as const };
  using place = new Place(host);
  using decoys = new Decoys(place.queue, host);
  const given = grantOf(row, "anvil", place.settings, host);
  const asked = grantOf(policyOf("anvil")!, "anvil", place.settings, host);
  const trial = together(startIn(place, decoys));
  const found = await tryGrant(
    asked,
    { ...trial, command: () => trial.command(given) },
    decoys,
    SERVICES,
  );
  assertEquals(
    found.filter(({ result }) => result === "ALLOWED").map(({ name }) => name),
    ["read the queue", "connect to others' services"],
  );
});

Deno.test("bwrapArguments() gives a network only to rows that have one", () => {
  using place = new Place(host);
  for (const row of policies) {
    const grant = grantOf(row, row.role, place.settings, host);
    const isolated = bwrapArguments(grant, stage.runtime).includes("--unshare-net");
    assertEquals(isolated, !row.network, row.role);
  }
});
