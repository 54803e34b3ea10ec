/** `check`: everything that is wrong with the configuration, at once. */

import { EX } from "../../shared/errors.ts";
import { everyProblem } from "../supervisor/every_problem.ts";
import {
  type CommandIo,
  loadForCommand,
  refuseArguments,
  takeConfigDirectory,
  tell,
} from "./io.ts";

/** Prints each problem on a line of its own; 0 when the system can start, 78 when it cannot. */
export function check(given: string[], io: CommandIo): Promise<number> {
  const { args, directory } = takeConfigDirectory(given, io);
  const refused = refuseArguments("check", args, io);
  if (refused !== undefined) return Promise.resolve(refused);
  const configuration = loadForCommand(io, directory);
  const problems = everyProblem(configuration, true);
  tell("check", problems, io);
  const fatal = problems.filter(({ severity }) => severity === "fatal").length;
  const warnings = problems.length - fatal;
  io.out(
    `${configuration.directory}: ${fatal ? "cannot be used" : "can be used"}: ` +
      `${plural(fatal, "error")}, ${plural(warnings, "warning")}\n`,
  );
  return Promise.resolve(fatal ? EX.CONFIG : EX.OK);
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
