/**
 * A role in a worker: how a process confines the role's code where no flag can, as in a compiled binary. The worker gets
 * the permissions of the policy row; as soon as the role's code is loaded, the main thread gives up all of its own, and
 * from then on only relays control messages.
 *
 * Started as `confine.ts MODULE PERMISSIONS`, or as the binary's `confine` command.
 */

import process from "node:process";
import { EX, reason } from "../errors.ts";
import { withoutControls } from "../log/printable.ts";
import { type Alive, aliveLock, endByHand, type Exit } from "./control_channel.ts";
import type { FromRole } from "./control_messages.ts";

const KINDS = ["read", "write", "net", "env", "run", "ffi", "sys", "import"] as const;
/** Modules are named from here: the root of the source, or of the binary's own files. */
const ROOT = new URL("../../", import.meta.url);

/**
 * Runs the role `module` in a worker with `permissions`, JSON of Deno's PermissionOptionsObject. Never resolves: the role,
 * or the end of the control channel, ends the process.
 */
export function confine(module: string, permissions: string): Promise<never> {
  if (!process.send) endByHand(module);
  const worker = new Worker(new URL(module, ROOT), {
    type: "module",
    name: module,
    deno: { permissions: JSON.parse(permissions) },
  } as WorkerOptions);
  worker.addEventListener("error", (event) => {
    event.preventDefault();
    console.error(`${module}: ${withoutControls(event.message)}`);
    process.exit(EX.SOFTWARE);
  });
  worker.addEventListener("message", ({ data }: MessageEvent<FromRole | Exit | Alive>) => {
    if (data.type === "exit") process.exit(data.code);
    if (data.type === "alive") return void endWithWorker(module);
    // Its modules are loaded: nothing more is read on its behalf.
    if (data.type === "up") giveUpAll();
    process.send?.(data);
  });
  process.on("message", (value: unknown) => worker.postMessage(value));
  process.on("disconnect", () => process.exit(1));
  return new Promise(() => {});
}

/** What a worker said last, or the error that ended it, comes within this. */
const LAST_WORDS_MS = 100;

/** Ends the process when nothing of the worker is left: it would wait for ever, and look like a role. */
async function endWithWorker(module: string): Promise<void> {
  await aliveLock(() => {});
  setTimeout(() => {
    console.error(`${module}: the worker has ended`);
    process.exit(EX.SOFTWARE);
  }, LAST_WORDS_MS);
}

/** Gives up every permission of this thread; a worker keeps its own. Ends the process when that fails. */
function giveUpAll(): void {
  try {
    for (const name of KINDS) {
      if (Deno.permissions.revokeSync({ name }).state === "granted") {
        throw new Error(`${name} is still granted`);
      }
    }
  } catch (error) {
    console.error(`cannot give up permissions: ${reason(error)}`);
    process.exit(EX.SOFTWARE);
  }
}

if (import.meta.main) void confine(Deno.args[0] ?? "", Deno.args[1] ?? "{}");
