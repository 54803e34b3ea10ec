/** sendmail's command line (reference 1.8): Sendmail's and Postfix's letters, in any order, up to the first operand. */

import { MAX_ENVID } from "../../shared/mail/envelope.ts";
import { addressList, isNullAddress } from "../../shared/maildrop/address_list.ts";
import type { Submitted } from "../../shared/maildrop/file_format.ts";
import { upperCase } from "../../shared/smtp/keyword.ts";

/** What sendmail is asked to do. */
export type Mode =
  | "submit"
  | "smtp"
  | "verify"
  | "aliases"
  | "list"
  | "flush"
  | "flush id"
  | "flush site"
  /** Something that only Sendmail does, -bh, -bH, -q30m, and no recipient. */
  | "nothing"
  | "unsupported";

export interface SendmailOptions {
  readonly mode: Mode;
  /** The id or site to flush, or what is not supported. */
  readonly argument: string;
  readonly configDirectory: string | undefined;
  /** As given with -f or -r; undefined when not. */
  readonly sender: string | undefined;
  readonly fullName: string | undefined;
  /** -t: recipients are in the header, too. */
  readonly fromHeader: boolean;
  /** A line with a lone dot ends the message. */
  readonly dotEnds: boolean;
  readonly gateway: boolean;
  readonly notify: ("NEVER" | "SUCCESS" | "FAILURE" | "DELAY")[];
  readonly ret: "" | "FULL" | "HDRS";
  /** In xtext. */
  readonly envid: string;
  readonly smtputf8: boolean;
  /** What the sender is told by mail of each recipient. */
  readonly trace: Submitted["trace"];
  /** More than one -v: say what is done. */
  readonly verbose: boolean;
  readonly recipients: string[];
  readonly warnings: string[];
}

/** A command line that is wrong; the text says what. */
export class UsageError extends Error {
  override name = "UsageError";
}

/** Options with an argument, attached or in the next word. */
const WITH_ARGUMENT = "ABCFLNORVXbefhopr";
/** Options whose argument, if any, is attached. */
const ATTACHED = "qdx";
const WITHOUT_ARGUMENT = "GIUcimntv";

type Draft = { -readonly [K in keyof SendmailOptions]: SendmailOptions[K] };

/** Reads the command line; throws UsageError. */
export function parseSendmail(args: readonly string[]): SendmailOptions {
  const draft: Draft = {
    mode: "submit",
    argument: "",
    configDirectory: undefined,
    sender: undefined,
    fullName: undefined,
    fromHeader: false,
    dotEnds: true,
    gateway: false,
    notify: [],
    ret: "",
    envid: "",
    smtputf8: false,
    trace: undefined,
    verbose: false,
    recipients: [],
    warnings: [],
  };
  const operands: string[] = [];
  let verbose = 0;
  for (const [option, argument] of options(args, operands)) {
    if (option === "v") verbose++;
    set(draft, option, argument);
  }
  draft.recipients = operands.flatMap(toAddresses);
  if (draft.mode === "nothing" && (draft.fromHeader || draft.recipients.length)) {
    draft.mode = "submit";
  }
  draft.verbose = verbose > 1;
  if (draft.mode === "verify") {
    draft.trace = "verify";
    if (draft.fromHeader) throw new UsageError("-t option cannot be used with -bv");
    if (draft.notify.length) throw new UsageError("-N option cannot be used with -bv");
  } else if (verbose === 1 && draft.mode === "submit") draft.trace = "deliver";
  return draft;
}

/** An empty operand is the null address: Postfix sends that to MAILER-DAEMON. */
function toAddresses(operand: string): string[] {
  const addresses = addressList(operand);
  return addresses.length ? addresses : isNullAddress(operand) ? ["MAILER-DAEMON"] : [];
}

/**
 * The options one by one; from the first word that is none, all go to `operands`: not every program writes `--` before
 * recipients that a stranger gave it.
 */
function* options(
  args: readonly string[],
  operands: string[],
): Generator<[option: string, argument: string]> {
  for (let at = 0; at < args.length; at++) {
    const arg = args[at]!;
    if (arg === "--") return void operands.push(...args.slice(at + 1));
    if (!arg.startsWith("-") || arg === "-") return void operands.push(...args.slice(at));
    for (let letter = 1; letter < arg.length; letter++) {
      const option = arg[letter]!;
      const rest = arg.slice(letter + 1);
      if (WITHOUT_ARGUMENT.includes(option)) yield [option, ""];
      else if (ATTACHED.includes(option)) {
        yield [option, rest];
        break;
      } else if (WITH_ARGUMENT.includes(option)) {
        const argument = rest || args[++at];
        if (argument === undefined) {
          throw new UsageError(`option requires an argument -- '${option}'`);
        }
        yield [option, argument];
        break;
      } else throw new UsageError(`invalid option -- '${option}'`);
    }
  }
}

function set(draft: Draft, option: string, argument: string): void {
  switch (option) {
    case "B":
      if (!/^(7bit|8bitmime)$/i.test(argument)) {
        throw new UsageError("-B option needs 8BITMIME or 7BIT");
      }
      return; // pickup looks at the message itself.
    case "C":
      draft.configDirectory = argument;
      return;
    case "F":
      draft.fullName = argument;
      return;
    case "f":
    case "r":
      draft.sender = argument;
      return;
    case "G":
      draft.gateway = true;
      return;
    case "i":
      draft.dotEnds = false;
      return;
    case "t":
      draft.fromHeader = true;
      return;
    case "N":
      return setNotify(draft, argument);
    case "R":
      return setReturn(draft, argument);
    case "V":
      return setEnvelopeId(draft, argument);
    case "O":
      return setLong(draft, argument);
    case "o":
      // With a value such as -oitrue, too; which one, Postfix does not ask.
      if (argument.startsWith("i")) draft.dotEnds = false;
      return;
    case "b":
      return setMode(draft, argument);
    case "I":
      draft.mode = "aliases";
      return;
    case "q":
      return setFlush(draft, argument);
    case "X":
      // Without V it is Sendmail's traffic log.
      if (argument.startsWith("V")) unsupported(draft, "-XV: VERP");
  }
  // -A -c -d -e -h -L -m -n -p -U -x say things that only Sendmail does.
}

function unsupported(draft: Draft, what: string): void {
  draft.mode = "unsupported";
  draft.argument = what;
}

function setNotify(draft: Draft, argument: string): void {
  const words = upperCase(argument).split(",").map((word) => word.trim());
  const known = ["NEVER", "SUCCESS", "FAILURE", "DELAY"] as const;
  const notify = known.filter((word) => words.includes(word));
  if (notify.length !== words.length || (notify[0] === "NEVER" && notify.length > 1)) {
    draft.warnings.push("bad -N option value -- ignored");
  } else draft.notify = notify;
}

function setReturn(draft: Draft, argument: string): void {
  const word = upperCase(argument);
  if (word === "FULL" || word === "HDRS") draft.ret = word;
  else draft.warnings.push("bad -R option value -- ignored");
}

function setEnvelopeId(draft: Draft, argument: string): void {
  const xtext = argument.replace(
    /[+=\s]/g,
    (char) => "+" + char.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0"),
  );
  if (/^[!-~]+$/.test(xtext) && xtext.length <= MAX_ENVID) draft.envid = xtext;
  else draft.warnings.push("bad -V option value -- ignored");
}

function setLong(draft: Draft, argument: string): void {
  const [, name, value] = /^([a-z0-9]+)=(.*)$/i.exec(argument) ?? [];
  if (name === "smtputf8") draft.smtputf8 = value === "yes";
  // To send it without TLS after all would be worse than not to send it.
  else if (name === "requiretls" && value === "yes") unsupported(draft, "-O requiretls=yes");
}

function setMode(draft: Draft, argument: string): void {
  switch (argument) {
    case "m":
      return;
    case "p":
      draft.mode = "list";
      return;
    case "s":
      draft.mode = "smtp";
      return;
    case "v":
      draft.mode = "verify";
      return;
    case "i":
      draft.mode = "aliases";
      return;
    case "d":
    case "l":
      return unsupported(draft, `-b${argument}: start the system with "postern start"`);
    case "h":
    case "H":
      draft.mode = "nothing";
      return;
    default:
      throw new UsageError(`unsupported: -b${argument}`);
  }
}

function setFlush(draft: Draft, argument: string): void {
  const rest = argument.slice(1);
  if (argument === "") draft.mode = "flush";
  else if (argument[0] === "I") [draft.mode, draft.argument] = ["flush id", rest];
  else if (argument[0] === "R") [draft.mode, draft.argument] = ["flush site", rest];
  else if (/^[SQ]/.test(argument)) unsupported(draft, `-q${argument[0]}`);
  // A time such as -q30m goes with -bd, and says nothing here.
  else if (draft.mode === "submit") draft.mode = "nothing";
}
