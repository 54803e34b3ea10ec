/** `postqueue`: list the queue, or try to deliver it now. */

import { EX } from "../../shared/errors.ts";
import type { CommandIo } from "./io.ts";
import {
  CommandError,
  listQueue,
  QUEUE_ID_WORD,
  queueCommand,
  runningFlush,
} from "./queue_access.ts";
import { jsonLines, mailqText } from "./queue_listing.ts";

const USAGE = "usage: postqueue -f | postqueue -i queueid | postqueue -j | postqueue -p | " +
  "postqueue -s site";
/** Output waits for so much, or so long, before it is written. */
const JOIN_CHARS = 16 * 1024;
const JOIN_MS = 100;
const SITE = /^\[?[A-Za-z0-9._:-]{1,255}\]?(?::[0-9]{1,5})?$/;

/** One action for each call; exit codes as Postfix's: 64 for a wrong command line, 69 when it cannot be done. */
export function postqueue(args: string[], io: CommandIo): Promise<number> {
  return queueCommand("postqueue", args, io, async (given, queueDirectory) => {
    const { action, argument } = parse(given.filter((arg) => arg !== "-v"));
    switch (action) {
      case "p":
        return await print(mailqText(messages(queueDirectory, io)), io);
      case "j":
        return await print(jsonLines(messages(queueDirectory, io)), io);
      case "f":
        return await flush(queueDirectory, { id: "", site: "" });
      case "i":
        if (!QUEUE_ID_WORD.test(argument)) {
          throw new CommandError(`Cannot flush queue ID - invalid name: "${argument}"`, EX.USAGE);
        }
        return await flush(queueDirectory, { id: argument, site: "" });
      case "s":
        if (!SITE.test(argument)) {
          throw new CommandError(
            `Cannot flush mail queue - invalid destination: "${argument}"`,
            EX.USAGE,
          );
        }
        return await flush(queueDirectory, { id: "", site: argument });
    }
  });
}

type Letter = "f" | "i" | "j" | "p" | "s";

function parse(args: readonly string[]): { action: Letter; argument: string } {
  const match = /^-([fjpis])(.*)$/s.exec(args[0] ?? "");
  const action = match?.[1] as Letter | undefined;
  const takes = action === "i" || action === "s";
  const argument = match?.[2] || (takes ? args[1] : undefined);
  const used = takes && !match?.[2] ? 2 : 1;
  if (!action || args.length !== used || takes !== (argument !== undefined)) {
    throw new CommandError(USAGE, EX.USAGE);
  }
  return { action, argument: argument ?? "" };
}

function messages(queueDirectory: string, io: CommandIo) {
  return listQueue(queueDirectory, (text) => io.err(`postqueue: warning: ${text}\n`));
}

/** Prints the first piece at once, and what follows joined: a system call for each line takes longer than the line. */
async function print(pieces: AsyncIterable<string>, io: CommandIo): Promise<number> {
  let text = "", due = 0;
  try {
    for await (const piece of pieces) {
      text += piece;
      if (text.length < JOIN_CHARS && performance.now() < due) continue;
      io.out(text);
      text = "";
      due = performance.now() + JOIN_MS;
    }
  } finally {
    if (text) io.out(text);
  }
  return EX.OK;
}

async function flush(
  queueDirectory: string,
  request: { id: string; site: string },
): Promise<number> {
  const running = await runningFlush(queueDirectory);
  try {
    await running.call("flush", request);
    return EX.OK;
  } finally {
    running.close();
  }
}
