/** A grant as permissions of a worker, and as the command line around it. */

import { assertEquals } from "@std/assert";
import { commandLine } from "../roles/supervisor/launch.ts";
import type { Runtime } from "./bwrap.ts";
import type { Grant } from "./grant.ts";
import { policyOf } from "./mod.ts";
import { workerPermissions } from "./worker.ts";

const grant: Grant = {
  row: policyOf("qmgr")!,
  service: "qmgr",
  sockets: { rewrite: "/q/private/rewrite/s" },
  foreignSockets: [],
  reads: ["/q/queue"],
  writes: ["/q/queue"],
  hosts: [],
  user: { name: "postfix", uid: 100, gid: 101 },
  capabilities: [],
};
const NOTHING = { env: false, run: false, ffi: false, import: false } as const;

Deno.test("workerPermissions() grants what the row does, and the sockets that the worker binds", () => {
  const binds = [
    { answers: "intake", path: "/q/private/intake/new/1", address: "", port: 0 },
    { answers: "", path: "", address: "::1", port: 25 },
  ];
  assertEquals(workerPermissions(grant, binds), {
    net: ["unix:/q/private/rewrite/s", "unix:/q/private/intake/new/1", "[::1]:25"],
    read: ["/q/private/rewrite/s", "/q/queue", "/q/private/intake/new/1"],
    write: ["/q/private/rewrite/s", "/q/queue", "/q/private/intake/new/1"],
    sys: ["statfs"],
    ...NOTHING,
  });
});

Deno.test("workerPermissions() refuses whole kinds that a row has no use for", () => {
  const none = { ...grant, row: policyOf("anvil")!, sockets: {}, reads: [], writes: [] };
  assertEquals(workerPermissions(none), {
    net: false,
    read: false,
    write: false,
    sys: false,
    ...NOTHING,
  });
});

const runtime: Runtime = {
  deno: "/opt/postern/postern",
  cache: "/c",
  source: "/s",
  libraries: [],
  setpriv: undefined,
  standalone: true,
};

Deno.test("a compiled program starts itself as the role", () => {
  const layers = { bwrap: undefined, setpriv: undefined, worker: true };
  assertEquals(commandLine(grant, runtime, layers), [
    "/opt/postern/./postern",
    "confine",
    "roles/qmgr/main.ts",
    JSON.stringify(workerPermissions(grant)),
  ]);
});

Deno.test("a role that binds a port below 1024 by itself keeps the capability for that", () => {
  const layers = { bwrap: undefined, setpriv: "/usr/bin/setpriv", worker: true };
  const at = (port: number) => {
    const binds = [{ answers: "", path: "", address: "0.0.0.0", port }];
    return commandLine(grant, runtime, layers, { binds }).filter((word) => word.includes("caps="));
  };
  assertEquals(at(2525), ["--inh-caps=-all"]);
  assertEquals(at(25), [
    "--inh-caps=-all,+net_bind_service",
    "--ambient-caps=-all,+net_bind_service",
  ]);
});
