/** `postlog`: a log line for scripts, where the system's own lines go. */

import { ConfigError, EX, reason } from "../../shared/errors.ts";
import type { Severity } from "../../shared/log/log.ts";
import { printable } from "../../shared/log/printable.ts";
import { CommandLog } from "./command_log.ts";
import { inputLines } from "./input_lines.ts";
import { type CommandIo, loadForCommand, takeConfigDirectory } from "./io.ts";

const USAGE = "usage: postlog [-c config_dir] [-i] [-p priority] [-t tag] [-v] [text...]";
const PRIORITIES: Readonly<Record<string, Severity>> = {
  info: "info",
  warn: "warning",
  warning: "warning",
  error: "error",
  fatal: "fatal",
  panic: "panic",
};
/** Longer lines of standard input are cut, as any log text. */
const MAX_INPUT_LINE = 10_000;

interface Options {
  readonly severity: Severity;
  readonly tag: string | undefined;
  readonly text: string;
}

/** Logs the text of the command line, or each line of standard input. */
export async function postlog(args: string[], io: CommandIo): Promise<number> {
  try {
    const { args: rest, directory } = takeConfigDirectory(args, io);
    const options = parse(rest);
    if (typeof options === "string") {
      io.err(`postlog: fatal: ${options}\n`);
      return 1;
    }
    const configuration = loadForCommand(io, directory);
    const process = options.tag ?? `${configuration.value("syslog_name")}/postlog`;
    const log = new CommandLog(configuration, process, (lines) => io.err(lines.join("\n") + "\n"));
    for await (const text of options.text ? [options.text] : inputLines(io, MAX_INPUT_LINE)) {
      await log.say(options.severity, text);
    }
    await log.close();
    return EX.OK;
  } catch (error) {
    io.err(`postlog: fatal: ${reason(error)}\n`);
    return error instanceof ConfigError ? EX.CONFIG : 1;
  }
}

/** Options, or what is wrong with them. */
function parse(args: readonly string[]): Options | string {
  let severity: Severity = "info", tag: string | undefined, at = 0;
  for (; at < args.length && /^-[a-z]/.test(args[at]!); at++) {
    const [letter, attached] = [args[at]![1]!, args[at]!.slice(2)];
    if (letter === "i" || letter === "v") continue;
    if (letter !== "p" && letter !== "t") return USAGE;
    const argument = attached || args[++at];
    if (argument === undefined) return USAGE;
    if (letter === "t") tag = printable(argument).replace(/[\s[\]:]/g, "_").slice(0, 64);
    else {
      const word = argument.replace(/^.*\./, "").toLowerCase();
      if (!Object.hasOwn(PRIORITIES, word)) return `unknown severity: ${printable(argument)}`;
      severity = PRIORITIES[word]!;
    }
  }
  if (args[at] === "--") at++;
  return { severity, tag, text: args.slice(at).join(" ") };
}
