/**
 * BDAT (RFC 3030): content in chunks of exact counts. Whatever is wrong, the bytes of a chunk are read before the reply, so
 * that they are never taken for commands; after an error chunks are dropped up to the last one.
 */

import { warning } from "../../shared/log/log.ts";
import { type Reply, reply } from "../../shared/smtp/reply.ts";
import { NEED_RCPT, NO_RECIPIENTS } from "../../shared/smtp/standard_replies.ts";
import { checkData } from "./restriction_lists.ts";
import { endOfMessage, Intake, keepUp } from "./content.ts";
import type { Maybe } from "./services.ts";
import type { Session } from "./session.ts";

/** The count is unknown, so what follows cannot be told from commands: 521 ends the session. */
const BAD_SYNTAX = reply(521, "5.5.4", "Syntax: BDAT count [LAST]");
const NO_CHUNKING = reply(521, "5.5.1", "Error: command not implemented");
const NULL_CHUNK = reply(551, "5.7.1", "Null BDAT request");
const TOO_BIG = reply(552, "5.3.4", "Chunk exceeds message size limit");

/** More of a malformed command is not logged. */
const MAX_SHOWN = 100;

interface Chunk {
  readonly size: number;
  readonly last: boolean;
}

/** Answers one chunk, at once when it has arrived whole; undefined when the client went away in its middle. */
export function bdat(session: Session, argument: string): Maybe<Reply | undefined> {
  if (session.settings.discarded.has("chunking")) {
    // Its bytes will come all the same.
    return NO_CHUNKING;
  }
  const chunk = parse(argument);
  if (!chunk) {
    warn(session, "malformed BDAT command syntax", `: BDAT ${argument.slice(0, MAX_SHOWN)}`);
    return BAD_SYNTAX;
  }
  const refused = cannotTake(session, chunk);
  if (refused) return discard(session, chunk, refused);
  const { intake } = session.transaction;
  return intake ? take(session, intake, chunk) : begin(session, chunk);
}

async function begin(session: Session, chunk: Chunk): Promise<Reply | undefined> {
  const refused = await checkData(session);
  if (refused) return await discard(session, chunk, refused);
  const intake = session.transaction.intake = new Intake(session, false);
  session.contentBytes = 0;
  session.enter("bdat");
  return await take(session, intake, chunk);
}

function parse(argument: string): Chunk | undefined {
  const [, count, last] = /^([0-9]{1,15})( +LAST)?$/i.exec(argument) ?? [];
  return count === undefined ? undefined : { size: Number(count), last: last !== undefined };
}

function cannotTake(session: Session, chunk: Chunk): Reply | undefined {
  const { stage, settings, contentBytes } = session;
  if (stage === "discard") {
    return reply(551, "5.0.0", `Discarded ${chunk.size} bytes after earlier error`);
  }
  if (stage === "mail") return NO_RECIPIENTS;
  if (stage !== "rcpt" && stage !== "bdat") return NEED_RCPT;
  if (chunk.size === 0 && !chunk.last) {
    warn(session, "null BDAT request");
    return NULL_CHUNK;
  }
  const { messageSizeLimit } = settings;
  const total = Math.max(0, contentBytes) + chunk.size;
  if (total <= messageSizeLimit) return undefined;
  warn(session, "BDAT request", " exceeds message size limit");
  return TOO_BIG;
}

function warn({ client, transaction }: Session, what: string, more = ""): void {
  const { name, address } = client;
  warning(`${transaction.queueId ?? "NOQUEUE"}: ${what} from ${name}[${address}]${more}`);
}

function take(session: Session, intake: Intake, chunk: Chunk): Maybe<Reply | undefined> {
  // A client may send a million chunks of one byte: each costs no wait, no promise and no write of its own.
  if (session.wire.held < chunk.size) return takeAsItComes(session, intake, chunk);
  if (chunk.size) pass(session, intake, chunk.size);
  if (intake.crowded) return keepUp(session, intake).then(() => taken(session, intake, chunk));
  return taken(session, intake, chunk);
}

async function takeAsItComes(
  session: Session,
  intake: Intake,
  chunk: Chunk,
): Promise<Reply | undefined> {
  const { wire } = session;
  wire.arm();
  for (let left = chunk.size; left > 0;) {
    if (wire.held === 0 && !await wire.ready()) return undefined;
    left -= pass(session, intake, left);
    if (intake.crowded) await keepUp(session, intake);
  }
  return taken(session, intake, chunk);
}

/** Hands what has arrived on, so many bytes at most; how many it was. */
function pass(session: Session, intake: Intake, most: number): number {
  const bytes = session.wire.take(most);
  session.contentBytes += bytes.length;
  intake.take(bytes);
  return bytes.length;
}

function taken(session: Session, intake: Intake, chunk: Chunk): Maybe<Reply> {
  session.wire.disarm();
  if (!chunk.last) return reply(250, "2.0.0", `Ok: ${chunk.size} bytes`);
  intake.finish();
  return endOfMessage(session, intake, `${session.contentBytes} bytes `);
}

/** Reads and drops a chunk; the transaction is over, and more chunks of it may be on their way. */
async function discard(
  session: Session,
  chunk: Chunk,
  refused: Reply,
): Promise<Reply | undefined> {
  const { wire } = session;
  session.resetTransaction("BDAT failed");
  wire.arm();
  for (let left = chunk.size; left > 0;) {
    if (wire.held === 0 && !await wire.ready()) return undefined;
    left -= wire.take(left).length;
  }
  wire.disarm();
  if (!chunk.last) session.enter("discard");
  return refused;
}
