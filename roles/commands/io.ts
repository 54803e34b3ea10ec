/** What every short-lived command is given by main.ts, and how it loads the configuration. */

import { ConfigError, EX } from "../../shared/errors.ts";
import { type Configuration, loadConfiguration } from "../../shared/config/configuration.ts";
import type { Problem } from "../../shared/config/problem.ts";
import { type Facts, findConfigDirectory, systemFacts } from "../../shared/config/facts.ts";

/** A command's view of the world. A command is `(args: string[], io: CommandIo) => Promise<number>`: a sysexit. */
export interface CommandIo {
  /** Writes text to standard output as it is: line ends are the caller's. */
  out(text: string): void;
  /** Writes bytes to standard output: messages are not always text. */
  outBytes(bytes: Uint8Array): void;
  /** Writes text to standard error as it is. */
  err(text: string): void;
  /** Standard input, for the commands that read it. */
  readonly input?: ReadableStream<Uint8Array>;
  /** The environment variables that commands look at (MAIL_CONFIG, ...). */
  env(name: string): string | undefined;
  /** The calling user's name; a test's own. */
  readonly user?: string;
  /** The text of /etc/passwd; a test's own. */
  readonly users?: string;
  /** The directory after -c, where it is given before the command's name. */
  configDirectory?: string;
  /** The host's facts; a test injects its own. */
  readonly facts?: Facts;
}

/** The configuration that `-c directory`, the environment or the installation names; problems are inside it. */
export function loadForCommand(io: CommandIo, directory = io.configDirectory): Configuration {
  if (directory === "") throw new ConfigError(NO_DIRECTORY);
  const facts = io.facts ?? systemFacts();
  const found = findConfigDirectory(directory, io.env.bind(io), facts.shipped ?? facts.repository);
  return loadConfiguration(found.directory, facts, found.hint);
}

/** What is wrong with a `-c` at the end. */
export const NO_DIRECTORY = "-c: must be followed by a directory";

/** Splits `-c DIR` (or `-cDIR`) off the arguments of a command that has no other use for -c. */
export function takeConfigDirectory(
  args: readonly string[],
  io: CommandIo,
): { args: string[]; directory: string | undefined } {
  const rest: string[] = [];
  let directory = io.configDirectory;
  for (let at = 0; at < args.length; at++) {
    const arg = args[at]!;
    if (arg === "--") return { args: [...rest, ...args.slice(at)], directory };
    if (arg === "-c") {
      directory = args[++at];
      if (directory === undefined) throw new ConfigError(NO_DIRECTORY);
    } else if (arg.startsWith("-c") && arg.length > 2) directory = arg.slice(2);
    else rest.push(arg);
  }
  return { args: rest, directory };
}

/** Refuses what is left of the arguments of a command that has none but -c; the exit code, or undefined when nothing is. */
export function refuseArguments(
  name: string,
  [first]: readonly string[],
  io: CommandIo,
): number | undefined {
  if (first === undefined) return undefined;
  io.err(`${name}: no such argument: ${first}\nusage: postern ${name} [-c DIR]\n`);
  return EX.USAGE;
}

/** Names the problems, a line each. */
export function tell(name: string, problems: readonly Problem[], io: CommandIo): void {
  for (const { severity, message } of problems) io.err(`${name}: ${severity}: ${message}\n`);
}

/** Reports the configuration's fatal problems; the exit code, or undefined when it can be used. */
export function refuseBroken(
  name: string,
  configuration: Pick<Configuration, "problems">,
  io: CommandIo,
): number | undefined {
  const fatal = configuration.problems.filter(({ severity }) => severity === "fatal");
  tell(name, fatal, io);
  return fatal.length ? EX.CONFIG : undefined;
}
