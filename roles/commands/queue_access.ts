/** How the queue's commands reach the queue: its services, or while the system is down the queue itself. */

import { basename } from "@std/path";
import { concat, utf8Text } from "../../shared/bytes.ts";
import type { Configuration } from "../../shared/config/configuration.ts";
import { EX, PeerError, reason } from "../../shared/errors.ts";
import { Compile } from "typebox/schema";
import { type Client, client } from "../../shared/ipc/client.ts";
import { printable } from "../../shared/log/printable.ts";
import { probe } from "../../shared/ipc/probe.ts";
import { databaseDirectory, maildropDirectory, socketPath } from "../../shared/layout.ts";
import { flushService, Listed, queueService, showqService } from "../../shared/protocols/queue.ts";
import { MAX_LINE_BYTES } from "../../shared/queue/show.ts";
import { type QueueLock, tryLockQueue } from "../../shared/queue/queue_lock.ts";
import { openReader } from "../../shared/queue/sqlite_reader.ts";
import { databaseFile } from "../../shared/queue/sqlite_schema.ts";
import { openStore } from "../../shared/queue/sqlite_store.ts";
import type { QueueReader, QueueStore } from "../../shared/queue/store.ts";
import { becomeOwner } from "./as_owner.ts";
import { type CommandIo, loadForCommand, takeConfigDirectory } from "./io.ts";
import { listMaildrop, removeSubmissions } from "./maildrop.ts";
import type { Waiting } from "./queue_listing.ts";

/** What users may write for a queue id, ours or not: what is none of ours is simply not in the queue. */
export const QUEUE_ID_WORD = /^[0-9A-Za-z]{1,40}$/;

/** A command cannot go on: its text, and its exit code. */
export class CommandError extends Error {
  override name = "CommandError";
  constructor(message: string, readonly code: number = EX.UNAVAILABLE) {
    super(message);
  }
}

/** Runs a queue command: `-c DIR` is taken off, a CommandError becomes its exit code. */
export async function queueCommand(
  name: string,
  args: readonly string[],
  io: CommandIo,
  run: (args: string[], queueDirectory: string, configuration: Configuration) => Promise<number>,
): Promise<number> {
  try {
    const { args: rest, directory } = takeConfigDirectory(args, io);
    const configuration = loadForCommand(io, directory);
    if (configuration.unreadable) throw new CommandError(configuration.unreadable, EX.CONFIG);
    return await run(rest, configuration.value("queue_directory"), configuration);
  } catch (error) {
    // Whoever reads our output has seen enough: `mailq | head`.
    if (error instanceof Deno.errors.BrokenPipe) return EX.OK;
    // What it names may come from a pipe or a command line, and the reader is a terminal.
    io.err(`${name}: fatal: ${printable(reason(error))}\n`);
    return error instanceof CommandError ? error.code : EX.UNAVAILABLE;
  }
}

/**
 * Every message of the queue, before them those that wait in the maildrop, for whoever may look there; `warn` hears what is
 * not shown, and that showq was not asked. Throws CommandError.
 */
export async function* listQueue(
  queueDirectory: string,
  warn: (text: string) => void,
): AsyncGenerator<Waiting> {
  const path = socketPath(queueDirectory, "showq");
  const state = await probe(path);
  if (state === "denied") throw notAllowed("view", "authorized_mailq_users");
  if (state === "up") {
    yield* listWaiting(queueDirectory, warn);
    return yield* askShowq(queueDirectory);
  }
  warn(`Mail system is down -- accessing queue directly (no answer at ${path})`);
  const reader = openForReading(queueDirectory);
  try {
    yield* listWaiting(queueDirectory, warn);
    if (reader) yield* reader.list();
  } finally {
    await reader?.close();
  }
}

async function* listWaiting(
  queueDirectory: string,
  warn: (text: string) => void,
): AsyncGenerator<Waiting> {
  const more = yield* listMaildrop(maildropDirectory(queueDirectory));
  if (more) warn(`maildrop: ${more} more files are not listed`);
}

/** What showq of a running system lists: all but the maildrop. */
export async function* askShowq(queueDirectory: string): AsyncGenerator<Listed> {
  const showq = client(showqService, { path: socketPath(queueDirectory, "showq") });
  try {
    const { content } = await showq.call("list", {});
    yield* listedLines(content);
  } finally {
    showq.close();
  }
}

/** Messages from the bytes of a listing; throws PeerError for a line that is none. */
export async function* listedLines(content: AsyncIterable<Uint8Array>): AsyncGenerator<Listed> {
  const schema = Compile(Listed);
  let parts: Uint8Array[] = [], held = 0;
  for await (const chunk of content) {
    let from = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, from)) {
      const line = concat([...parts, chunk.subarray(from, end)], held + end - from);
      const value = parseLine(line);
      if (!schema.Check(value)) throw new PeerError("showq: line not of the declared shape");
      yield value;
      parts = [];
      held = 0;
      from = end + 1;
    }
    parts.push(chunk.slice(from));
    held += chunk.length - from;
    if (held > MAX_LINE_BYTES) throw new PeerError("showq: line too long");
  }
  if (held) throw new PeerError("showq: listing ends in the middle of a line");
}

function parseLine(line: Uint8Array): unknown {
  try {
    return JSON.parse(utf8Text(line));
  } catch {
    throw new PeerError("showq: line is not JSON");
  }
}

/** The queue itself, for reading; undefined when there is none yet. Throws CommandError when we may not. */
export function openForReading(queueDirectory: string): QueueReader | undefined {
  return opened(queueDirectory, openReader);
}

/** From here on root has the rights of the queue's owner alone, who may have put anything there: a pipe holds up its reader. */
function opened<T>(queueDirectory: string, open: (directory: string) => T): T | undefined {
  const directory = databaseDirectory(queueDirectory);
  becomeOwner(directory);
  const entries = entriesOf(directory);
  const foreign = entries.find(({ isFile, isDirectory }) => !isFile && !isDirectory);
  if (foreign) {
    const path = `${directory}/${foreign.name}`;
    throw new CommandError(`${path}: neither a plain file nor a directory: remove it`);
  }
  const isMade = entries.some(({ name }) => name === basename(databaseFile(directory)));
  return isMade ? open(directory) : undefined;
}

function entriesOf(directory: string): Deno.DirEntry[] {
  try {
    return Deno.readDirSync(directory).toArray();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw new CommandError(
      `cannot read ${directory}: only root and the owner of the mail system may; root does it as the owner, ` +
        "whom each directory above has to let through",
      EX.NOPERM,
    );
  }
}

/** What operators may do to messages. */
export interface QueueActions {
  act(action: Action, which: "ALL" | string[]): Promise<number>;
  close(): Promise<void>;
}

export type Action = "hold" | "release" | "delete" | "requeue";

/** What they may do in the queue, and delete in the maildrop, whether the system runs or not. Throws CommandError. */
export async function queueActions(queueDirectory: string): Promise<QueueActions> {
  const queue = await actionsOnQueue(queueDirectory);
  const maildrop = maildropDirectory(queueDirectory);
  return {
    async act(action, which) {
      const waiting = action === "delete" ? removeSubmissions(maildrop, which) : 0;
      return waiting + await queue.act(action, which);
    },
    close: () => queue.close(),
  };
}

/** qmgr's service; while the system is down, the store itself, if it is ours. A qmgr that starts waits. */
async function actionsOnQueue(queueDirectory: string): Promise<QueueActions> {
  const path = socketPath(queueDirectory, "queue");
  const state = await probe(path);
  if (state === "up") {
    const queue = client(queueService, { path });
    return {
      act: async (action, which) => (await queue.call(action, { which })).reply.count,
      // deno-lint-ignore require-await
      close: async () => queue.close(),
    };
  }
  const denied = "use of this command is reserved for root and the owner of the mail system";
  if (state === "denied") throw new CommandError(denied, EX.NOPERM);
  const found = opened(queueDirectory, openLocked);
  if (!found) return { act: () => Promise.resolve(0), close: () => Promise.resolve() };
  const { store, lock } = found;
  // What was active when the system ended is nobody's now.
  await store.recover(Date.now());
  return {
    act: (action, which) => onStore(store, action, which),
    async close() {
      await store.close();
      lock[Symbol.dispose]();
    },
  };
}

/** The store as its one writer: opening it alone removes what a qmgr is just receiving. */
function openLocked(directory: string): { store: QueueStore; lock: QueueLock } {
  const lock = tryLockQueue(directory);
  if (lock) return { store: openStore(directory), lock };
  const text = `qmgr keeps ${directory}, but does not answer: it starts or ends, try again`;
  throw new CommandError(text, EX.TEMPFAIL);
}

function onStore(store: QueueStore, action: Action, which: "ALL" | string[]): Promise<number> {
  return action === "delete" ? store.remove(which) : store[action](which);
}

function notAllowed(what: string, parameter: string): CommandError {
  const text = `User ${Deno.uid()} is not allowed to ${what} the mail queue (${parameter})`;
  return new CommandError(text, EX.NOPERM);
}

/** What any user may ask of a running qmgr. Throws CommandError. */
export async function runningFlush(
  queueDirectory: string,
): Promise<Client<typeof flushService.calls>> {
  const path = socketPath(queueDirectory, "flush");
  switch (await probe(path)) {
    case "up":
      return client(flushService, { path });
    case "denied":
      throw notAllowed("flush", "authorized_flush_users");
    case "down":
      throw new CommandError("Cannot flush mail queue - mail system is down");
  }
}
