/**
 * Each role's row, tried from inside: what it does not grant is refused, by Deno's permissions alone and by bubblewrap
 * alone (there the probe holds every Deno permission), and what it grants works.
 */

import { assertEquals } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { bwrapArguments, type Runtime } from "../../policies/bwrap.ts";
import { type Grant, grantOf, type Host } from "../../policies/grant.ts";
import { policies, type Row } from "../../policies/mod.ts";
import type { Settings } from "../../policies/settings.ts";
import { makeDirectories, makeLogFile, makeOwned } from "../../roles/supervisor/directories.ts";
import { readHost } from "../../roles/supervisor/host.ts";
import { commandLine, type Layers, roleEnvironment } from "../../roles/supervisor/launch.ts";
import { chooseLayers, findRuntime } from "../../roles/supervisor/runtime.ts";
import { socketDirectory, socketPath } from "../../shared/layout.ts";
import type { Attempt, Result } from "./probe.ts";

const SERVICES = [
  "cleanup",
  "rewrite",
  "intake",
  "outcomes",
  "queue",
  "bounce",
  "dns",
  "anvil",
  "showq",
  "pickup",
];
const TRANSPORTS = [
  { name: "smtp", type: "unix", command: "smtp" },
  { name: "virtual", type: "unix", command: "virtual" },
];

const probe = fromFileUrl(new URL("./probe.ts", import.meta.url));
const host: Host = readHost("nobody");
const runtime: Runtime = { ...findRuntime(), probe };
const layers: Layers = await chooseLayers("auto", host);

/** A queue with every socket in place, tables, mailboxes and a log, in a temporary directory. */
class Place {
  readonly root = Deno.makeTempDirSync({ prefix: "postern-sandbox-" });
  readonly queue = `${this.root}/q`;
  readonly #listeners: Deno.Listener[] = [];
  /** An IP service of somebody else. */
  readonly tcp = Deno.listen({ hostname: "127.0.0.1", port: 0 });

  constructor() {
    Deno.chmodSync(this.root, 0o755);
    makeDirectories(this.queue, host);
    makeLogFile(`${this.root}/log/maillog`, host.mailOwner);
    makeOwned(`${this.root}/mail`, host.mailOwner);
    Deno.mkdirSync(`${this.root}/etc`);
    Deno.writeTextFileSync(`${this.root}/etc/transport`, "example.com smtp:[127.0.0.1]:2626\n");
    Deno.writeTextFileSync(`${this.root}/etc/secret`, "not a table\n");
    for (const service of [...SERVICES, "smtp", "virtual"]) {
      Deno.mkdirSync(socketDirectory(this.queue, service), { recursive: true });
      this.#listeners.push(
        Deno.listen({ transport: "unix", path: socketPath(this.queue, service) }) as never,
      );
      Deno.chmodSync(socketPath(this.queue, service), 0o666);
    }
    if (host.mailOwner) Deno.chownSync(`${this.queue}/private`, 0, host.mailOwner.gid);
  }

  get settings(): Settings {
    const values: Record<string, string> = {
      queue_directory: this.queue,
      transport_maps: `texthash:${this.root}/etc/transport`,
      virtual_mailbox_base: `${this.root}/mail`,
      maillog_file: `${this.root}/log/maillog`,
      smtp_allowed_ports: "25",
      inet_protocols: "ipv4",
      dns_servers: "127.0.0.1:5353",
    };
    return {
      value: (name) => values[name] ?? "",
      services: TRANSPORTS,
      logsToService: false,
      tables: new Map([["transport_maps", values["transport_maps"]!]]),
      readTable: (file) => Deno.readTextFileSync(file),
    };
  }

  dispose(): void {
    for (const listener of this.#listeners) listener.close();
    this.tcp.close();
    Deno.removeSync(this.root, { recursive: true });
  }
}

async function run(command: string[], attempts: Attempt[]): Promise<Map<string, Result>> {
  const [program, ...args] = command;
  const output = await new Deno.Command(program!, {
    args: [...args, JSON.stringify(attempts)],
    env: roleEnvironment(runtime),
    clearEnv: true,
    cwd: runtime.source,
  }).output();
  const text = new TextDecoder().decode(output.stdout);
  if (!text) throw new Error(new TextDecoder().decode(output.stderr));
  return new Map((JSON.parse(text) as Result[]).map((result) => [result.name, result]));
}

/** What no role may do. */
function forbidden(place: Place, grant: Grant): Attempt[] {
  const uncalled = SERVICES.filter((service) => !(service in grant.sockets));
  return [
    { name: "read /etc/passwd", how: "read", target: "/etc/passwd" },
    { name: "read a file beside the tables", how: "read", target: `${place.root}/etc/secret` },
    { name: "list the root directory of the queue", how: "list", target: place.queue },
    { name: "write to /tmp", how: "write", target: "/tmp/postern-probe" },
    { name: "write to the source", how: "write", target: `${runtime.source}/deno.json` },
    { name: "read the environment", how: "environment", target: "HOME" },
    { name: "start a program", how: "run", target: "/bin/true" },
    { name: "load a library", how: "library", target: "libc.so.6" },
    { name: "listen on a port", how: "listen", target: "0" },
    {
      name: "open an IP connection",
      how: "tcp",
      target: `127.0.0.1:${(place.tcp.addr as Deno.NetAddr).port}`,
    },
    ...uncalled.map((service): Attempt => ({
      name: `connect to ${service}`,
      how: "unix",
      target: socketPath(place.queue, service),
    })),
    ...(grant.row.role === "qmgr" ? [] : [{
      name: "write to the queue",
      how: "write" as const,
      target: `${place.queue}/queue/probe`,
    }]),
    ...(grant.row.role === "pickup" ? [] : [{
      name: "write to the maildrop",
      how: "write" as const,
      target: `${place.queue}/maildrop/probe`,
    }]),
  ];
}

/** What this row grants. */
function allowed(grant: Grant): Attempt[] {
  return [
    ...Object.entries(grant.sockets).map(([service, path]): Attempt => ({
      name: `connect to ${service}`,
      how: "unix",
      target: path,
    })),
    ...grant.writes.map((path): Attempt => ({
      name: `write to ${path}`,
      how: "write",
      target: Deno.statSync(path).isFile ? path : `${path}/probe`,
    })),
  ];
}

/** Only bubblewrap (or users) can refuse this: it needs the same right as connecting. */
function takeOver(grant: Grant): Attempt[] {
  return Object.entries(grant.sockets).map(([service, path]) => ({
    name: `take over ${service}`,
    how: "remove",
    target: path,
  }));
}

function assertAll(
  results: Map<string, Result>,
  attempts: Attempt[],
  expected: Result["result"],
): void {
  const got = attempts.map(({ name }) => [name, results.get(name)?.result]);
  const wrong = attempts.filter(({ name }) => results.get(name)?.result !== expected).map((
    { name },
  ) => results.get(name)?.error);
  assertEquals(got, attempts.map(({ name }) => [name, expected]), wrong.join("; "));
}

/** Refused by the kernel although Deno allows everything; what a network namespace cannot refuse is left out. */
function bwrapOnly(attempts: Attempt[], grant: Grant): Attempt[] {
  const always = new Set([
    "list the root directory of the queue",
    "read the environment",
    "load a library",
    "listen on a port",
    "write to /tmp",
  ]);
  return attempts.filter(({ how, name }) =>
    !always.has(name) && !(how === "tcp" && grant.hosts.length)
  )
    .filter(({ name }) =>
      !(name === "read a file beside the tables" && grant.row.role === "rewrite")
    );
}

async function withPlace(
  row: Row,
  test: (place: Place, grant: Grant) => Promise<void>,
): Promise<void> {
  const place = new Place();
  try {
    await test(place, grantOf(row, row.role, place.settings, host));
  } finally {
    place.dispose();
  }
}

for (const row of policies) {
  Deno.test(`policy of ${row.role}: Deno refuses what the row does not grant`, async () => {
    await withPlace(row, async (place, grant) => {
      const command = commandLine(grant, runtime, { ...layers, bwrap: undefined });
      const results = await run(command, [...forbidden(place, grant), ...allowed(grant)]);
      assertAll(results, forbidden(place, grant), "refused");
      assertAll(results, allowed(grant), "done");
    });
  });

  Deno.test({
    name: `policy of ${row.role}: bubblewrap refuses what the row does not grant`,
    ignore: !layers.bwrap,
    fn: () =>
      withPlace(row, async (place, grant) => {
        const attempts = [...bwrapOnly(forbidden(place, grant), grant), ...takeOver(grant)];
        const open = commandLine(grant, runtime, layers).map((
          word,
        ) => (word === "--no-prompt" ? "-A" : word))
          .filter((word) => !word.startsWith("--allow-"));
        const results = await run(open, attempts);
        assertAll(results, attempts, "refused");
      }),
  });

  Deno.test({
    name: `policy of ${row.role}: what the row grants works with both layers`,
    ignore: !layers.bwrap,
    fn: () =>
      withPlace(row, async (_place, grant) => {
        const results = await run(commandLine(grant, runtime, layers), allowed(grant));
        assertAll(results, allowed(grant), "done");
      }),
  });
}

Deno.test("bwrapArguments() gives a network only to rows that have one", () => {
  const place = new Place();
  try {
    for (const row of policies) {
      const grant = grantOf(row, row.role, place.settings, host);
      assertEquals(
        bwrapArguments(grant, runtime).includes("--unshare-net"),
        !row.network,
        row.role,
      );
    }
  } finally {
    place.dispose();
  }
});
