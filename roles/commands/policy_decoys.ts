/** What a probe's attempts are aimed at: decoys beside the system's own sockets, made for the occasion, removed after it. */

import { fromFileUrl } from "@std/path";
import type { Ground } from "../../policies/attempts.ts";
import { isThere } from "../../policies/bwrap.ts";
import type { Grant, Host, User } from "../../policies/grant.ts";
import { socketDirectory, socketPath } from "../../shared/layout.ts";
import { clearSocket, protectSocket } from "../supervisor/directories.ts";
import { libraryDirectories, SOURCE } from "../supervisor/runtime.ts";

/** Services that nobody has: one that every calling role is given, one that none is. Names that no line of master.cf has. */
const PEER = ".decoy", STRANGER = ".other";
/** A decoy process ends by itself after about so long, should nobody end it. */
const DECOY_SECONDS = 600;
/** A variable that no role is given. */
const VARIABLE = "POSTERN_DECOY";
const KNOCK_EVERY_MS = 20;

export class Decoys implements Disposable {
  readonly directory = Deno.makeTempDirSync({ prefix: "postern-decoys-" });
  /** The probe, where every user reaches it; a compiled binary has it inside. */
  readonly probe = Deno.build.standalone ? "policies/probe.ts" : `${this.directory}/probe.ts`;
  readonly library = `${this.directory}/library.so`;
  /** Connections by IP that came through. */
  arrived = 0;
  readonly #tcp = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #listeners = new Map<string, Deno.UnixListener>();

  constructor(readonly queue: string, readonly host: Host) {
    Deno.chmodSync(this.directory, 0o755);
    Deno.writeTextFileSync(`${this.directory}/secret.json`, '"not yours"\n');
    Deno.mkdirSync(`${this.directory}/open`);
    Deno.chmodSync(`${this.directory}/open`, 0o777);
    const probe = fromFileUrl(new URL("../../policies/probe.ts", import.meta.url));
    if (!Deno.build.standalone) Deno.copyFileSync(probe, this.probe);
    Deno.copyFileSync(someLibrary(), this.library);
    Deno.env.set(VARIABLE, "not yours");
    for (const name of [PEER, STRANGER]) this.#listen(name);
    this.#count();
  }

  /** The same grant with one more service to call, for a role that calls any. */
  extended(grant: Grant): Grant {
    if (Object.keys(grant.sockets).length === 0) return grant;
    return { ...grant, sockets: { ...grant.sockets, [PEER]: socketPath(this.queue, PEER) } };
  }

  /** Runs `use` on the ground of one role; what the role before took is there again. */
  async on<T>(
    grant: Grant,
    services: readonly string[],
    use: (ground: Ground) => Promise<T>,
  ): Promise<T> {
    const peer = socketPath(this.queue, PEER);
    if (!isThere(peer)) this.#listen(PEER);
    const sockets = [...services, PEER, STRANGER]
      .map((name) => [name, socketPath(this.queue, name)] as const)
      .filter(([, path]) => isThere(path));
    const process = decoyProcess(grant.user);
    const knocked = freePort();
    const knocking = setInterval(() => knock(knocked), KNOCK_EVERY_MS);
    try {
      return await use({
        directory: this.directory,
        queue: this.queue,
        source: SOURCE,
        address: `127.0.0.1:${this.#tcp.addr.port}`,
        knocked: `127.0.0.1:${knocked}`,
        library: this.library,
        variable: VARIABLE,
        hostname: Deno.hostname(),
        sockets: Object.fromEntries(sockets),
        peer,
        process: process.name,
      });
    } finally {
      clearInterval(knocking);
      await process.end();
    }
  }

  /** True when something was left in the directory that is open to everybody. */
  written(): boolean {
    return [...Deno.readDirSync(`${this.directory}/open`)].length > 0;
  }

  [Symbol.dispose](): void {
    Deno.env.delete(VARIABLE);
    this.#tcp.close();
    for (const [name, listener] of this.#listeners) {
      listener.close();
      Deno.removeSync(socketDirectory(this.queue, name), { recursive: true });
    }
    Deno.removeSync(this.directory, { recursive: true });
  }

  #listen(name: string): void {
    this.#listeners.get(name)?.close();
    clearSocket(this.queue, name, this.host);
    const path = socketPath(this.queue, name);
    this.#listeners.set(name, Deno.listen({ transport: "unix", path }));
    protectSocket(this.queue, name, this.host);
  }

  async #count(): Promise<void> {
    for await (const connection of this.#tcp) {
      this.arrived++;
      connection.close();
    }
  }
}

/** A small library that every process of this kind can load. */
function someLibrary(): string {
  const found = libraryDirectories().map((path) => `${path}/libm.so.6`).find(isThere);
  if (!found) throw new Error(`no libm.so.6 in ${libraryDirectories().join(", ")}`);
  return found;
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/** Mostly nobody is there. */
function knock(port: number): void {
  Deno.connect({ hostname: "127.0.0.1", port }).then((connection) => connection.close(), () => {});
}

/** A process that does nothing, of the role's own user: a peer that it might signal or look into. */
function decoyProcess(user: User | null): { name: string; end(): Promise<void> } {
  // An argument that no other process has: in a namespace of its own a process may have the same number.
  const seconds = String(DECOY_SECONDS + Math.floor(Math.random() * DECOY_SECONDS));
  const child = new Deno.Command("sleep", {
    args: [seconds],
    cwd: "/",
    stdin: "null",
    ...(user ? { uid: user.uid, gid: user.gid } : {}),
  }).spawn();
  return {
    name: `${child.pid} ${seconds}`,
    async end() {
      try {
        child.kill("SIGKILL");
      } catch {
        // The probe ended it.
      }
      await child.status;
    },
  };
}
