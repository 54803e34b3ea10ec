/** `postcat -q`: show a message of the queue, or one that pickup has not taken yet, in the layout of Postfix's. */

import { utf8Bytes } from "../../shared/bytes.ts";
import { EX } from "../../shared/errors.ts";
import type { Sendable } from "../../shared/ipc/content.ts";
import { maildropDirectory } from "../../shared/layout.ts";
import { type Envelope, NO_CLIENT, type Recipient } from "../../shared/mail/envelope.ts";
import { withoutControls } from "../../shared/log/printable.ts";
import { NotASubmission } from "../../shared/maildrop/file_format.ts";
import { OPEN } from "../../shared/queue/store.ts";
import { showMessage } from "../../shared/queue/show.ts";
import type { CommandIo } from "./io.ts";
import { type Opened, openSubmission } from "./maildrop.ts";
import { CommandError, openForReading, QUEUE_ID_WORD, queueCommand } from "./queue_access.ts";
import { arrival } from "./queue_listing.ts";

const USAGE = "usage: postcat [-b (body text)] [-c config_dir] [-e (envelope records)] " +
  "[-h (header text)] [-o (offsets)] [-q (access queue)] [-v] [queue_id(s)...]";

interface Parts {
  readonly envelope: boolean;
  readonly header: boolean;
  readonly body: boolean;
  /** Before each line of the message, how many bytes of it are before that; the envelope is in no file, and has none. */
  readonly offsets: boolean;
}

/** Wide enough for any message; the text of a line begins in the same column everywhere. */
const OFFSET_WIDTH = 9;

/** Shows messages whole, or their envelope (-e), header (-h) and body (-b). Exit code 1 for one that is not there. */
export function postcat(args: string[], io: CommandIo): Promise<number> {
  return queueCommand("postcat", args, io, async (given, queueDirectory) => {
    const { parts, ids } = parse(given);
    for (const id of ids) await show(id, parts, queueDirectory, io);
    return EX.OK;
  });
}

function parse(args: readonly string[]): { parts: Parts; ids: string[] } {
  const ids = args.filter((arg) => !arg.startsWith("-"));
  const letters = args.filter((arg) => arg.startsWith("-")).map((arg) => arg.slice(1)).join("");
  if (!/^[behoqv]*$/.test(letters)) throw new CommandError(USAGE, 1);
  if (!letters.includes("q")) {
    throw new CommandError("the queue has no message files: name a queue ID, postcat -q ID", 1);
  }
  const wrong = ids.find((id) => !QUEUE_ID_WORD.test(id));
  if (wrong !== undefined) throw new CommandError(`bad mail queue id: ${wrong}`, 1);
  const all = !/[beh]/.test(letters);
  const has = (letter: string) => all || letters.includes(letter);
  const parts = { envelope: has("e"), header: has("h"), body: has("b") };
  return { parts: { ...parts, offsets: letters.includes("o") }, ids };
}

async function show(
  id: string,
  parts: Parts,
  queueDirectory: string,
  io: CommandIo,
): Promise<void> {
  if (await showWaiting(id, parts, queueDirectory, io)) return;
  const reader = openForReading(queueDirectory);
  try {
    const shown = await (reader && showMessage(reader, id));
    if (!shown) throw new CommandError(`open queue file ${id}: No such file or directory`, 1);
    const recipients = shown.recipients.map((each) => ({
      ...each,
      isOpen: OPEN.includes(each.state),
    }));
    await print({ ...shown.message, recipients, content: shown.content }, parts, io);
  } finally {
    await reader?.close();
  }
}

/** False when nothing of this name waits in the maildrop. */
async function showWaiting(
  id: string,
  parts: Parts,
  queueDirectory: string,
  io: CommandIo,
): Promise<boolean> {
  let waiting;
  try {
    waiting = openSubmission(maildropDirectory(queueDirectory), id);
    if (waiting) await print(submitted(id, waiting), parts, io);
    return waiting !== undefined;
  } catch (error) {
    if (!(error instanceof NotASubmission)) throw error;
    throw new CommandError(`maildrop/${id}: no submission: ${error.message}`, 1);
  } finally {
    waiting?.close();
  }
}

/** What is printed of a message. */
interface Printed {
  readonly queue: string;
  readonly envelope: Envelope;
  /** Content bytes. */
  readonly size: number;
  readonly recipientCount: number;
  readonly recipients: readonly (Recipient & { readonly isOpen: boolean })[];
  readonly content: Sendable;
}

function submitted(queueId: string, waiting: Opened): Printed {
  const { size, arrived, envelope: { sender, recipients, notify, smtputf8, ret, envid, trace } } =
    waiting;
  const base = { queueId, sender, arrived, client: NO_CLIENT, smtputf8, ret, envid };
  return {
    queue: "maildrop",
    envelope: { ...base, body: "8bit", ...(trace ? { trace } : {}) },
    size,
    recipientCount: recipients.length,
    recipients: recipients.map((address) => (
      { address, original: address, orcpt: "", notify, isOpen: true }
    )),
    content: waiting.content(),
  };
}

async function print(printed: Printed, parts: Parts, io: CommandIo): Promise<void> {
  const say = (text: string) =>
    io.out(parts.offsets ? text.replace(/^(?=.)/gm, " ".repeat(OFFSET_WIDTH + 1)) : text);
  const place = `${printed.queue}/${printed.envelope.queueId}`;
  if (parts.envelope) {
    say(`*** ENVELOPE RECORDS ${place} ***\n${envelopeText(printed)}`);
    say(`*** MESSAGE CONTENTS ${place} ***\n`);
  }
  await writeContent(printed.content, parts, (bytes) => io.outBytes(bytes));
  if (parts.envelope) {
    say(`*** HEADER EXTRACTED ${place} ***\n*** MESSAGE FILE END ${place} ***\n`);
  }
}

const RET = { "": 0, FULL: 1, HDRS: 2 };
/** What sendmail -v and -bv ask for. */
const TRACE = { deliver: 1024, verify: 512 };
const NOTIFY = { NEVER: 1, SUCCESS: 2, FAILURE: 4, DELAY: 8 };

function envelopeText({ envelope, size, recipientCount, recipients }: Printed): string {
  const { client } = envelope;
  const date = `${arrival(envelope.arrived / 1000)} ${new Date(envelope.arrived).getFullYear()}`;
  const sizes = [size, 0, recipientCount, 0, size, envelope.smtputf8 ? 1 : 0];
  const lines = [
    `message_size: ${sizes.map((value) => String(value).padStart(15)).join(" ")}`,
    `message_arrival_time: ${date}`,
    `create_time: ${date}`,
  ];
  const attribute = (name: string, value: string | number) => {
    if (value) lines.push(`named_attribute: ${name}=${value}`);
  };
  attribute("envelope_id", envelope.envid);
  attribute("ret_flags", RET[envelope.ret]);
  attribute("rewrite_context", client.address ? "remote" : "local");
  lines.push(`sender: ${envelope.sender}`);
  if (envelope.trace) attribute("trace_flags", TRACE[envelope.trace]);
  for (const prefix of ["log_client", "client"]) {
    attribute(`${prefix}_name`, client.name);
    attribute(`${prefix}_address`, client.address);
    attribute(`${prefix}_port`, client.port);
    if (prefix === "log_client" && client.address) {
      attribute("log_message_origin", `${client.name}[${client.address}]`);
    }
    attribute(prefix === "client" ? "helo_name" : "log_helo_name", client.helo);
    attribute(prefix === "client" ? "protocol_name" : "log_protocol_name", client.protocol);
  }
  for (const recipient of recipients) {
    lines.push(...recipientLines(recipient, recipient.isOpen));
  }
  return lines.map((line) => withoutControls(line) + "\n").join("");
}

function recipientLines(recipient: Recipient, open: boolean): string[] {
  const { address, original, orcpt, notify } = recipient;
  const flags = notify.reduce((sum, word) => sum + NOTIFY[word], 0);
  return [
    ...(flags ? [`named_attribute: notify_flags=${flags}`] : []),
    ...(orcpt ? [`named_attribute: dsn_orig_rcpt=${orcpt}`] : []),
    `original_recipient: ${original}`,
    `${open ? "recipient" : "done_recipient"}: ${address}`,
  ];
}

const CR = 13, LF = 10;

/** The wanted parts of the message with the line ends of files; the empty line between belongs to the body. */
async function writeContent(
  content: Sendable,
  parts: Pick<Parts, "header" | "body" | "offsets">,
  out: (bytes: Uint8Array) => void,
): Promise<void> {
  const chunks = content instanceof Uint8Array ? [content] : content;
  let inHeader = true, lineStart = true, at = 0, begin = 0;
  for await (const chunk of chunks) {
    const kept = new Uint8Array(chunk.length);
    let length = 0;
    const flush = () => {
      if (length) out(kept.subarray(0, length));
      length = 0;
    };
    for (const byte of chunk) {
      at++;
      // Content has no CR but in CRLF.
      if (byte === CR) continue;
      if (inHeader && lineStart && byte === LF) inHeader = false;
      const isWanted = inHeader ? parts.header : parts.body;
      if (isWanted && lineStart && parts.offsets) {
        flush();
        out(utf8Bytes(`${String(begin).padStart(OFFSET_WIDTH)} `));
      }
      lineStart = byte === LF;
      if (lineStart) begin = at;
      if (isWanted) kept[length++] = byte;
    }
    flush();
  }
}
