/** `postsuper`: delete, hold, release and requeue messages. */

import { EX } from "../../shared/errors.ts";
import type { Which } from "../../shared/protocols/queue.ts";
import { CommandLog } from "./command_log.ts";
import type { CommandIo } from "./io.ts";
import {
  type Action,
  CommandError,
  listQueue,
  QUEUE_ID_WORD,
  type QueueActions,
  queueActions,
  queueCommand,
} from "./queue_access.ts";

const USAGE = "usage: postsuper [-c config_dir] [-d queue_id (delete)] [-h queue_id (hold)] " +
  "[-H queue_id (un-hold)] [-p (purge temporary files)] [-r queue_id (requeue)] " +
  "[-s (structure fix)] [-v (verbose)] [queue...]";
const QUEUES = ["maildrop", "incoming", "active", "deferred", "hold", "corrupt"] as const;
/** Requests under way at once: enough that their commits are joined. */
const AT_ONCE = 50;
/** The most ids that are read from standard input. */
const MAX_INPUT_BYTES = 64 * 1024 * 1024;

interface Verb {
  readonly action: Action;
  /** `postsuper: ID: removed` */
  readonly one: string;
  /** `postsuper: Deleted: 3 messages` */
  readonly all: string;
}

/** In the order in which they are done, whatever order they are given in. */
const VERBS: Readonly<Record<string, Verb>> = {
  d: { action: "delete", one: "removed", all: "Deleted" },
  h: { action: "hold", one: "placed on hold", all: "Placed on hold" },
  H: { action: "release", one: "released from hold", all: "Released from hold" },
  r: { action: "requeue", one: "requeued", all: "Requeued" },
};

interface Wanted {
  /** What stands behind each verb's letter: ids, `-`, `ALL`. */
  readonly ids: Map<string, string[]>;
  readonly queues: string[];
}

/** Does what is asked, and says for how many messages; exit code 1 for a wrong command line, as Postfix. */
export function postsuper(args: string[], io: CommandIo): Promise<number> {
  return queueCommand("postsuper", args, io, async (given, queueDirectory, configuration) => {
    const { ids, queues } = parse(given);
    if (!ids.size) return EX.OK;
    const input = [...ids.values()].some((each) => each.includes("-")) ? await readNames(io) : [];
    const actions = await queueActions(queueDirectory);
    const process = `${configuration.value("syslog_name")}/postsuper`;
    // Whoever asked sees them anyway.
    const log = new CommandLog(configuration, process, () => {});
    const say = (text: string) => {
      io.err(`postsuper: ${text}\n`);
      return log.say("info", text);
    };
    try {
      for (const [letter, verb] of Object.entries(VERBS)) {
        const given = ids.get(letter);
        if (!given) continue;
        const named = which(given, input);
        const chosen = queues.length ? await within(queues, named, queueDirectory) : named;
        const count = await run(actions, verb, chosen, say);
        await say(`${verb.all}: ${count} message${count === 1 ? "" : "s"}`);
      }
      return EX.OK;
    } finally {
      await Promise.all([actions.close(), log.close()]);
    }
  });
}

function parse(args: readonly string[]): Wanted {
  const ids = new Map<string, string[]>();
  const queues: string[] = [];
  for (let at = 0; at < args.length; at++) {
    const [, letter, attached] = /^-([A-Za-z])(.*)$/s.exec(args[at]!) ?? [];
    if (letter === undefined) {
      if (!QUEUES.includes(args[at] as typeof QUEUES[number])) {
        throw new CommandError(`no such queue: ${args[at]} (${QUEUES.join(", ")})`, 1);
      }
      queues.push(args[at]!);
    } else if (letter in VERBS) {
      const name = attached || args[++at];
      if (name === undefined) throw new CommandError(USAGE, 1);
      if (name !== "-" && !QUEUE_ID_WORD.test(name)) {
        throw new CommandError(`Invalid queue ID: "${name}"`, 1);
      }
      ids.set(letter, [...ids.get(letter) ?? [], name]);
    } else if (letter === "e" || letter === "f") {
      throw new CommandError(`-${letter}: expiring messages is not built yet`);
    } else if (!/^[psSv]+$/.test(letter + attached)) throw new CommandError(USAGE, 1);
    // -p, -s and -S: the queue leaves no temporary files, and has no structure of files to mend.
  }
  return { ids, queues };
}

/** Queue ids from standard input, one a line. */
async function readNames(io: CommandIo): Promise<string[]> {
  let text = "";
  const decoder = new TextDecoder();
  for await (const chunk of io.input ?? []) {
    text += decoder.decode(chunk, { stream: true });
    if (text.length > MAX_INPUT_BYTES) throw new CommandError("standard input: too long", 1);
  }
  text += decoder.decode();
  const names = text.split("\n").map((line) => line.trim()).filter(Boolean);
  const wrong = names.find((name) => !QUEUE_ID_WORD.test(name));
  if (wrong !== undefined) throw new CommandError(`standard input: bad queue ID: "${wrong}"`, 1);
  return names;
}

/** ALL is a word of the command line: what comes from a pipe is ids, whatever they look like. */
function which(given: readonly string[], input: readonly string[]): Which {
  return given.includes("ALL") ? "ALL" : given.flatMap((name) => (name === "-" ? input : [name]));
}

/** Those that are in one of these queues now. */
async function within(
  queues: readonly string[],
  named: Which,
  queueDirectory: string,
): Promise<string[]> {
  const wanted = named === "ALL" ? undefined : new Set(named);
  const found = new Set<string>();
  for await (const { queue_id, queue_name } of listQueue(queueDirectory, () => {})) {
    if (queues.includes(queue_name) && wanted?.has(queue_id) !== false) found.add(queue_id);
  }
  return [...found];
}

/** Acts on all at once, or on each by name, so that each can be reported. */
async function run(
  actions: QueueActions,
  verb: Verb,
  names: Which,
  say: (text: string) => Promise<void>,
): Promise<number> {
  if (names === "ALL") return await actions.act(verb.action, "ALL");
  let sum = 0;
  for (let at = 0; at < names.length; at += AT_ONCE) {
    const some = names.slice(at, at + AT_ONCE);
    const counts = await Promise.all(some.map((name) => actions.act(verb.action, [name])));
    for (const [n, count] of counts.entries()) {
      sum += count;
      if (count) await say(`${some[n]}: ${verb.one}`);
    }
  }
  return sum;
}
