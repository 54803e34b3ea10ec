/**
 * The control channel as a role sees it. A role that is a process of its own speaks node's IPC; one in a worker speaks
 * to the main thread of its process, which relays (`confine.ts`). Nothing else differs between the two.
 */

import process from "node:process";
import { EX } from "../errors.ts";
import type { FromRole } from "./control_messages.ts";

/** A role's end of the channel. */
export interface Control {
  say(value: FromRole): void;
  /** `handle` is the listening socket that came with the message. */
  onMessage(take: (value: unknown, handle: unknown) => void): void;
  /** Ends the process. */
  exit(code: number): void;
}

/** What a worker says to its main thread beside what goes to the supervisor. */
export interface Exit {
  readonly type: "exit";
  readonly code: number;
}

/**
 * What a worker says when it holds the lock of this name, which it does for as long as it lives: no event tells the main
 * thread that a worker has closed itself, but whoever waits for the lock gets it then.
 */
export interface Alive {
  readonly type: "alive";
}
const ALIVE_LOCK = "postern-role";

/** The part of Web Locks that is used here; Deno's types leave it out. */
interface Locks {
  request(name: string, run: () => unknown): Promise<unknown>;
}

/** Waits for that lock, and holds it until `run` is done. */
export async function aliveLock(run: () => Promise<never> | void): Promise<void> {
  await (navigator as unknown as { readonly locks: Locks }).locks.request(ALIVE_LOCK, run);
}

/** The channel that this process, or this worker, was started with; undefined when somebody ran the module by hand. */
export function openControl(): Control | undefined {
  if ("DedicatedWorkerGlobalScope" in globalThis) return fromWorker();
  return process.send ? overIpc() : undefined;
}

function overIpc(): Control {
  // A role never outlives its supervisor.
  process.on("disconnect", () => process.exit(1));
  return {
    say: (value) => void process.send?.(value),
    onMessage: (take) => void process.on("message", take),
    exit: (code) => process.exit(code),
  };
}

/** Ends a process that somebody started by hand: without a supervisor a role would wait for ever. */
export function endByHand(role: string): never {
  console.error(
    `${role} waits for a supervisor, and none started it: see "deno task role"`,
  );
  process.exit(EX.USAGE);
}

function fromWorker(): Control {
  // deno-lint-ignore no-explicit-any
  const scope = globalThis as any;
  const post = (value: FromRole | Exit | Alive) => scope.postMessage(value);
  void aliveLock(() => {
    post({ type: "alive" });
    return new Promise<never>(() => {});
  });
  return {
    say: post,
    onMessage: (take) =>
      scope.addEventListener("message", (event: MessageEvent) => take(event.data, undefined)),
    exit: (code) => post({ type: "exit", code }),
  };
}
