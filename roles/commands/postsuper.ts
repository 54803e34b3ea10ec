/** `postsuper`: delete, hold, release and requeue messages. */

import { EX } from "../../shared/errors.ts";
import { printable } from "../../shared/log/printable.ts";
import type { Which } from "../../shared/protocols/queue.ts";
import { CommandLog } from "./command_log.ts";
import { inputLines } from "./input_lines.ts";
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
/** Ids of one request where nothing is said of each: many more, and others of qmgr's callers would wait. */
const IDS_PER_REQUEST = 1000;
/** More of a line is not looked at: it is no id. */
const MAX_LINE_CHARS = 200;
/** The most ids that are read from standard input. */
const MAX_INPUT_IDS = 4_000_000;

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
    const process = `${configuration.value("syslog_name")}/postsuper`;
    // Whoever asked sees them anyway.
    const log = new CommandLog(configuration, process, () => {});
    const say = (text: string) => {
      io.err(`postsuper: ${text}\n`);
      return log.say("info", text);
    };
    let actions: QueueActions | undefined;
    try {
      const named = await namedBy(ids, io, async (text) => {
        io.err(`postsuper: warning: ${text}\n`);
        await log.say("warning", text);
      });
      actions = await queueActions(queueDirectory);
      for (const [letter, verb] of Object.entries(VERBS)) {
        const which = named.get(letter);
        if (!which) continue;
        const chosen = queues.length ? await within(queues, which, queueDirectory) : which;
        const count = which === "ALL" || chosen === "ALL"
          ? await actOnAll(actions, verb.action, chosen)
          : await actOnEach(actions, verb, chosen, say);
        await say(`${verb.all}: ${count} message${count === 1 ? "" : "s"}`);
      }
      return EX.OK;
    } finally {
      await Promise.all([actions?.close(), log.close()]);
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
      ids.set(letter, [...ids.get(letter) ?? [], name]);
    } else if (letter === "e" || letter === "f") {
      throw new CommandError(`-${letter}: expiring messages is not built yet`);
    } else if (!/^[psSv]+$/.test(letter + attached)) throw new CommandError(USAGE, 1);
    // -p, -s and -S: the queue leaves no temporary files, and has no structure of files to mend.
  }
  return { ids, queues };
}

/**
 * Which messages each letter's words name. ALL is a word of the command line: what comes from a pipe is ids, whatever they
 * look like. `warn` hears of what is no id: among those of a whole listing there is more than ids.
 */
async function namedBy(
  words: ReadonlyMap<string, string[]>,
  io: CommandIo,
  warn: (text: string) => Promise<void>,
): Promise<Map<string, Which>> {
  const isId = async (word: string) => {
    if (QUEUE_ID_WORD.test(word)) return true;
    await warn(`invalid mail queue id: ${printable(word)}`);
    return false;
  };
  let input: string[] | undefined;
  const named = new Map<string, Which>();
  for (const [letter, given] of words) {
    let ids: string[] = [];
    for (const word of given) {
      if (word === "-") ids = ids.concat(input ??= await readIds(io, isId));
      else if (await isId(word)) ids.push(word);
    }
    named.set(letter, given.includes("ALL") ? "ALL" : ids);
  }
  return named;
}

/** Queue ids from standard input, one a line. */
async function readIds(
  io: CommandIo,
  isId: (word: string) => Promise<boolean>,
): Promise<string[]> {
  const ids: string[] = [];
  for await (const line of inputLines(io, MAX_LINE_CHARS)) {
    const word = line.trim();
    if (word && await isId(word)) ids.push(word);
    if (ids.length > MAX_INPUT_IDS) throw new CommandError("standard input: too many ids", 1);
  }
  return ids;
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

/** Says nothing of each: nobody named them. */
async function actOnAll(actions: QueueActions, action: Action, which: Which): Promise<number> {
  if (which === "ALL") return await actions.act(action, which);
  let sum = 0;
  for (let at = 0; at < which.length; at += IDS_PER_REQUEST) {
    sum += await actions.act(action, which.slice(at, at + IDS_PER_REQUEST));
  }
  return sum;
}

/** Acts on each by itself, so that each can be reported. */
async function actOnEach(
  actions: QueueActions,
  verb: Verb,
  ids: readonly string[],
  say: (text: string) => Promise<void>,
): Promise<number> {
  let sum = 0;
  for (let at = 0; at < ids.length; at += AT_ONCE) {
    const some = ids.slice(at, at + AT_ONCE);
    const counts = await Promise.all(some.map((id) => actions.act(verb.action, [id])));
    for (const [n, count] of counts.entries()) {
      sum += count;
      if (count) await say(`${some[n]}: ${verb.one}`);
    }
  }
  return sum;
}
