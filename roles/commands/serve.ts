/** `serve`: the mail system in the foreground. */

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
  const { args, directory } = takeConfigDirectory(given, io);
  const refused = refuseArguments("serve", args, io);
  if (refused !== undefined) return refused;
  const configuration = loadForCommand(io, directory);
  const problems = everyProblem(configuration, false);
  tell("serve", "warning", problems, io);
  return refuseBroken("serve", { problems }, io) ??
    await supervise({
      configuration,
      problems,
      load: () => loadForCommand(io, configuration.directory),
      out: (text) => show(text, io),
    });
}

/** Whoever started it may have gone: the system runs all the same. */
function show(text: string, io: CommandIo): void {
  try {
    io.out(text);
  } catch (error) {
    warning(`cannot print how to use the system: ${reason(error)}`);
  }
}
