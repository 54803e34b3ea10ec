/** `serve`: the mail system in the foreground. */

import type { Configuration } from "../../shared/config/configuration.ts";
import type { Problem } from "../../shared/config/problem.ts";
import { reason } from "../../shared/errors.ts";
import { warning } from "../../shared/log/log.ts";
import { supervise } from "../supervisor/main.ts";
import { everyProblem } from "../supervisor/every_problem.ts";
import {
  type CommandIo,
  loadForCommand,
  refuseArguments,
  refuseBroken,
  takeConfigDirectory,
  tell,
} from "./io.ts";

/** Starts the system and ends with it; refuses a configuration with fatal problems. */
export async function serve(given: string[], io: CommandIo): Promise<number> {
  const usable = usableConfiguration("serve", given, io);
  if (typeof usable === "number") return usable;
  const { directory } = usable.configuration;
  return await supervise({
    ...usable,
    load: () => loadForCommand(io, directory),
    out: (text) => show(text, io),
  });
}

/** The configuration that the system starts with, all its problems told; an exit code where it cannot. */
export function usableConfiguration(
  name: string,
  given: readonly string[],
  io: CommandIo,
): { configuration: Configuration; problems: Problem[] } | number {
  const { args, directory } = takeConfigDirectory(given, io);
  const refused = refuseArguments(name, args, io);
  if (refused !== undefined) return refused;
  const configuration = loadForCommand(io, directory);
  const problems = everyProblem(configuration, false);
  tell(name, problems.filter(({ severity }) => severity === "warning"), io);
  return refuseBroken(name, { problems }, io) ?? { configuration, problems };
}

/** Whoever started it may have gone: the system runs all the same. */
function show(text: string, io: CommandIo): void {
  try {
    io.out(text);
  } catch (error) {
    warning(`cannot print how to use the system: ${reason(error)}`);
  }
}
