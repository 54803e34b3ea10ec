/** `status`, `reload` and `stop`: what the supervisor answers on its control socket. */

import { EX, reason } from "../../shared/errors.ts";
import { client } from "../../shared/ipc/client.ts";
import { probe } from "../../shared/ipc/probe.ts";
import { socketPath } from "../../shared/layout.ts";
import { withoutControls } from "../../shared/log/printable.ts";
import { controlService, type ServiceStatus } from "../../shared/protocols/control.ts";
import { type CommandIo, loadForCommand, takeConfigDirectory } from "./io.ts";

/** Prints one line per service: state, process ids, restarts, and why it is not running. */
export function status(args: string[], io: CommandIo): Promise<number> {
  return asked("status", args, io, async (control) => {
    const { reply } = await control.call("status", {});
    io.out(`confinement: ${reply.layers}\n`);
    io.out(
      `${"SERVICE".padEnd(14)}${"ROLE".padEnd(12)}${"STATE".padEnd(10)}${
        "RESTARTS".padEnd(10)
      }PIDS\n`,
    );
    for (const each of reply.services) io.out(row(each));
    return reply.services.some((each) => each.state === "failed") ? EX.UNAVAILABLE : EX.OK;
  });
}

function row({ service, role, state, restarts, pids, reason }: ServiceStatus): string {
  const why = reason && state !== "running" ? `  ${withoutControls(reason)}` : "";
  return `${service.padEnd(14)}${role.padEnd(12)}${state.padEnd(10)}${
    String(restarts).padEnd(10)
  }` +
    `${pids.join(" ") || "-"}${why}\n`;
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
    while (await probe(path) === "up") await new Promise((resolve) => setTimeout(resolve, 100));
    return EX.OK;
  });
}

type Control = ReturnType<typeof client<typeof controlService.calls>>;

async function asked(
  name: string,
  args: string[],
  io: CommandIo,
  run: (control: Control, path: string) => Promise<number>,
): Promise<number> {
  const { directory } = takeConfigDirectory(args, io);
  const configuration = loadForCommand(io, directory);
  const path = socketPath(configuration.value("queue_directory"), "control");
  if (await probe(path) !== "up") {
    io.err(`${name}: the Postern mail system is not running (no answer at ${path})\n`);
    return EX.UNAVAILABLE;
  }
  const control = client(controlService, { path });
  try {
    return await run(control, path);
  } catch (error) {
    io.err(`${name}: ${reason(error)}\n`);
    return EX.UNAVAILABLE;
  } finally {
    control.close();
  }
}
