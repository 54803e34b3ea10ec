/** `status`, `reload` and `stop`: what the supervisor answers on its control socket. */

import { EX, reason } from "../../shared/errors.ts";
import { client } from "../../shared/ipc/client.ts";
import { probe } from "../../shared/ipc/probe.ts";
import { socketPath } from "../../shared/layout.ts";
import { withoutControls } from "../../shared/log/printable.ts";
import { controlService, type ServiceStatus } from "../../shared/protocols/control.ts";
import { sleep } from "../../shared/timer.ts";
import { type CommandIo, loadForCommand, refuseArguments, takeConfigDirectory } from "./io.ts";

/** Between two looks whether a system that was told to stop is gone. */
const LOOK_MS = 100;

/** Prints one line per service: state, process ids, restarts, and why it is not running. */
export function status(args: string[], io: CommandIo): Promise<number> {
  return asked("status", args, io, async (control) => {
    const { reply } = await control.call("status", {});
    io.out(`confinement: ${reply.layers}\n`);
    const rows = [["SERVICE", "ROLE", "STATE", "RESTARTS", "PIDS"], ...reply.services.map(row)];
    const widths = rows[0]!.map((_, n) => Math.max(...rows.map((each) => each[n]!.length)) + 2);
    for (const each of rows) {
      const last = each.length - 1;
      io.out(each.map((text, n) => n < last ? text.padEnd(widths[n]!) : text).join("") + "\n");
    }
    return reply.services.some((each) => each.state === "failed") ? EX.UNAVAILABLE : EX.OK;
  });
}

function row({ service, role, state, restarts, pids, reason }: ServiceStatus): string[] {
  const why = reason && state !== "running" ? `  ${withoutControls(reason)}` : "";
  return [service, role, state, String(restarts), `${pids.join(" ") || "-"}${why}`];
}

/** Puts the changed configuration in force; returns when it is. */
export function reload(args: string[], io: CommandIo): Promise<number> {
  return asked("reload", args, io, async (control) => {
    const { reply } = await control.call("reload", {});
    if (!reply.error) return EX.OK;
    io.err(`reload: ${reply.error}\n`);
    return EX.CONFIG;
  });
}

/** Ends the system; returns when the control socket has gone. */
export function stop(args: string[], io: CommandIo): Promise<number> {
  return asked("stop", args, io, async (control, path) => {
    await control.call("stop", {});
    while (await probe(path) === "up") await sleep(LOOK_MS);
    return EX.OK;
  });
}

type Control = ReturnType<typeof client<typeof controlService.calls>>;

async function asked(
  name: string,
  given: string[],
  io: CommandIo,
  run: (control: Control, path: string) => Promise<number>,
): Promise<number> {
  const { args, directory } = takeConfigDirectory(given, io);
  const refused = refuseArguments(name, args, io);
  if (refused !== undefined) return refused;
  const configuration = loadForCommand(io, directory);
  const path = socketPath(configuration.value("queue_directory"), "control");
  let control: Control | undefined;
  try {
    const state = await probe(path);
    if (state === "denied") {
      io.err(`${name}: only root and the owner of the mail system may do that\n`);
      return EX.NOPERM;
    }
    if (state === "down") {
      io.err(`${name}: the Postern mail system is not running (no answer at ${path})\n`);
      return EX.UNAVAILABLE;
    }
    control = client(controlService, { path });
    return await run(control, path);
  } catch (error) {
    // Whoever reads our output has seen enough: `status | head`.
    if (error instanceof Deno.errors.BrokenPipe) return EX.OK;
    io.err(`${name}: ${reason(error)}\n`);
    return EX.UNAVAILABLE;
  } finally {
    control?.close();
  }
}
