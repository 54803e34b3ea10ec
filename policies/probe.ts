/**
 * Runs in a role's place, under the role's rights, and tries what it is told to try: each answer says what became of it.
 * It imports nothing, so that it runs in every layer wherever it lies. It does no harm where an attempt succeeds: what
 * it writes it removes, what it moves it moves back.
 */

import { spawn } from "node:child_process";
import { connect } from "node:net";
import process from "node:process";

/** One thing to try; `target` is a path, an address, a program or a process, as `how` says. */
export interface Try {
  readonly how: keyof typeof TRIES;
  readonly target: string;
}

/** What became of it; `error` is empty when it succeeded. */
export interface Tried extends Try {
  readonly refused: boolean;
  readonly error: string;
}

/** How long a connection may take: everything is on this host. */
const CONNECT_MS = 2000;
/** How long somebody may take to knock who does it all the time. */
const KNOCK_MS = 1000;

const TRIES = {
  read: async (path: string) => void await Deno.readTextFile(path),
  list: async (path: string) => void await Array.fromAsync(Deno.readDir(path)),
  write: writeNothing,
  link: readThroughLink,
  setId: makeSetId,
  environment(name: string) {
    if (Deno.env.get(name) === undefined) throw new Error("not there");
  },
  run: async (program: string) => void await new Deno.Command(program).output(),
  spawn: (program: string) =>
    new Promise<void>((resolve, reject) => {
      spawn(program).on("error", reject).on("exit", () => resolve());
    }),
  again: async (argument: string) =>
    void await new Deno.Command("/proc/self/exe", { args: [argument] }).output(),
  interfaces: () => void Deno.networkInterfaces(),
  hostname(name: string) {
    if (Deno.hostname() !== name) throw new Error("another name");
  },
  import: async (path: string) => {
    // By way of a module that needs no right to be loaded.
    const code = `import "file://${path}" with { type: "json" }`;
    await import(`data:text/javascript,${encodeURIComponent(code)}`);
  },
  library: (path: string) => Deno.dlopen(path, {}).close(),
  listen: (host: string) => Deno.listen({ hostname: host, port: 0 }).close(),
  answer,
  tcp: (address: string) => {
    const [host, port] = address.split(":");
    return reach({ host: host!, port: Number(port) });
  },
  unix: (path: string) =>
    reach({ path }).catch((error) => {
      // Nobody accepts there now, but the way there is open.
      if (error.code !== "ECONNREFUSED") throw error;
    }),
  rename: async (path: string) => {
    await Deno.rename(path, `${path}-`);
    await Deno.rename(`${path}-`, path);
  },
  bind: async (path: string) => {
    Deno.listen({ transport: "unix", path }).close();
    await Deno.remove(path);
  },
  remove: (path: string) => Deno.remove(path),
  signal: async (other: string) => Deno.kill(await processId(other), "SIGTERM"),
  memory: (other: string) => look(other, "mem"),
  variables: (other: string) => look(other, "environ"),
} satisfies Record<string, (target: string) => void | Promise<void>>;

/** Listens until somebody knocks: on a network of its own nobody does. */
async function answer(address: string): Promise<void> {
  const [hostname, port] = address.split(":");
  const listener = Deno.listen({ hostname: hostname!, port: Number(port) });
  const timer = setTimeout(() => listener.close(), KNOCK_MS);
  try {
    (await listener.accept()).close();
    listener.close();
  } finally {
    clearTimeout(timer);
  }
}

/** Opens for writing, a file that is there as it is, one that is not for a moment. */
async function writeNothing(path: string): Promise<void> {
  try {
    (await Deno.open(path, { write: true, createNew: true })).close();
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    return (await Deno.open(path, { write: true })).close();
  }
  await Deno.remove(path);
}

/** Makes a file that is root's to whoever runs it. */
async function makeSetId(path: string): Promise<void> {
  (await Deno.open(path, { write: true, createNew: true })).close();
  try {
    await Deno.chown(path, 0, 0);
    await Deno.chmod(path, 0o4755);
  } finally {
    await Deno.remove(path);
  }
}

/** Leads a path that it may use, `PATH TARGET`, to one that it may not. */
async function readThroughLink(pair: string): Promise<void> {
  const [path, target] = pair.split(" ");
  await Deno.symlink(target!, path!);
  try {
    await Deno.readTextFile(path!);
  } finally {
    await Deno.remove(path!);
  }
}

/** The number of a process named as `PID ARGUMENT`; in a namespace of our own the number may be another's: our own. */
async function processId(other: string): Promise<number> {
  const [pid, argument] = other.split(" ");
  const seen = await Deno.readTextFile(`/proc/${pid}/cmdline`).catch((error) => {
    if (error instanceof Deno.errors.NotFound) throw error;
    return undefined; // Not ours to read: try all the same.
  });
  if (seen !== undefined && !seen.includes(argument!)) throw new Error("not to be seen");
  return Number(pid);
}

async function look(other: string, file: string): Promise<void> {
  (await Deno.open(`/proc/${await processId(other)}/${file}`)).close();
}

function reach(where: { host: string; port: number } | { path: string }): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(where);
    socket.setTimeout(CONNECT_MS, () => reject(new Error("timed out")));
    socket.on("connect", () => {
      socket.destroy();
      resolve();
    });
    socket.on("error", reject);
  });
}

async function tryAll(tries: readonly Try[]): Promise<Tried[]> {
  const tried: Tried[] = [];
  for (const { how, target } of tries) {
    try {
      await TRIES[how](target);
      tried.push({ how, target, refused: false, error: "" });
    } catch (error) {
      const { name, message } = error as Error;
      tried.push({ how, target, refused: true, error: `${name}: ${message}` });
    }
  }
  return tried;
}

/** Answers over the control channel, as a role does: node's, or the worker's to the thread that relays it. */
function serve(): void {
  // deno-lint-ignore no-explicit-any
  const scope = globalThis as any;
  const worker = "DedicatedWorkerGlobalScope" in globalThis;
  const say = (value: unknown) => worker ? scope.postMessage(value) : process.send?.(value);
  const take = async (tries: Try[]) => say({ type: "tried", tried: await tryAll(tries) });
  if (worker) scope.addEventListener("message", (event: MessageEvent) => take(event.data));
  else {
    process.on("message", take);
    process.on("disconnect", () => process.exit(0));
  }
  say({ type: "up" });
}

serve();
