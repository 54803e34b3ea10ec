/**
 * The submission file that sendmail leaves in the maildrop, and the check that pickup makes of it. Anybody may write to
 * the maildrop, so a file is either whole and exactly as below, or it is not a submission:
 *
 *   postern submission 1 LENGTH\n     LENGTH of the envelope in bytes
 *   {"sender":...}\n                  the envelope: JSON of the shape `Submitted`
 *   ...                               the message: lines that end in CRLF, no other CR or LF
 *   sha256 HEX\n                      over every byte before this line
 *
 * A foreign file passes the check with a chance of 2^-256; one still being written has no last line, and does not pass.
 */

import { createHash, type Hash } from "node:crypto";
import { Compile } from "typebox/schema";
import { reason } from "../errors.ts";
import { line, shape, type Static, Type } from "../ipc/schema.ts";
import { Envelope, MAX_ADDRESS, MAX_RECIPIENTS, Notify } from "../mail/envelope.ts";

/** No control character (C1 among them) reaches a header, a log line or a reply through an address. */
const address = Type.String({
  maxLength: MAX_ADDRESS,
  pattern: "^[^\\u0000-\\u001f\\u007f-\\u009f]*$",
});

/** What sendmail knows beside the message. Addresses are in internal form, possibly without domain. */
export const Submitted = shape({
  sender: address,
  recipients: Type.Array(address, { minItems: 1, maxItems: MAX_RECIPIENTS }),
  /** Of sendmail -F; empty when not given. */
  fullName: line(256),
  notify: Notify,
  ret: Type.Enum(["", "FULL", "HDRS"]),
  /** In xtext (RFC 3461 4). */
  envid: line(100),
  smtputf8: Type.Boolean(),
  /** sendmail -G: relayed, not written here; its header is left as it is. */
  gateway: Type.Boolean(),
  /** Of -v and -bv; with `verify` the message is not looked at. */
  trace: Envelope.properties.trace,
  /** Random: two submissions are never the same bytes, so their checksums name them. */
  nonce: line(40),
});
export type Submitted = Static<typeof Submitted>;

const submitted = Compile(Submitted);

/** The longest envelope: within `ENVELOPE_HEADER_BYTES` when pickup hands it to cleanup, which needs twice as much. */
const MAX_ENVELOPE_BYTES = 4 * 1024 * 1024;
/** Recipients of so many bytes, as JSON has them, fit into an envelope whatever else is in it. */
export const MAX_RECIPIENTS_BYTES = MAX_ENVELOPE_BYTES - 64 * 1024;
const MAGIC = "postern submission 1 ";
/** The first line: the magic, at most seven digits, a newline. */
const MAX_HEAD_BYTES = MAGIC.length + 8;
const TRAILER_BYTES = "sha256 ".length + 64 + 1;
/** Files are read in steps of this. */
const STEP_BYTES = 64 * 1024;
/** After checking so many bytes, others get their turn. */
const BYTES_PER_TURN = 1024 * 1024;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });
const latin1 = new TextDecoder("latin1");

/** This file is not a submission; the text says why. */
export class NotASubmission extends Error {
  override name = "NotASubmission";
}

/** The longest file whose message has so many bytes. */
export function submissionBytes(messageBytes: number): number {
  return MAX_HEAD_BYTES + MAX_ENVELOPE_BYTES + 1 + messageBytes + TRAILER_BYTES;
}

/** How much of `MAX_RECIPIENTS_BYTES` an address takes. */
export function recipientBytes(address: string): number {
  return encoder.encode(JSON.stringify(address)).length + 1;
}

/** Writes a submission; `write` takes every byte it is given. Throws RangeError when the envelope is too long. */
export class SubmissionWriter {
  #hash = createHash("sha256");

  constructor(readonly write: (bytes: Uint8Array) => void, envelope: Submitted) {
    const json = encoder.encode(JSON.stringify(envelope));
    if (json.length > MAX_ENVELOPE_BYTES) {
      throw new RangeError(`envelope: longer than ${MAX_ENVELOPE_BYTES} bytes`);
    }
    if (!submitted.Check(envelope)) {
      throw new RangeError("envelope: has too many or too long addresses, or a control character");
    }
    this.content(encoder.encode(`${MAGIC}${json.length}\n`));
    this.content(json);
    this.content(encoder.encode("\n"));
  }

  /** A part of the message, its lines ended by CRLF. */
  content(bytes: Uint8Array): void {
    this.#hash.update(bytes);
    this.write(bytes);
  }

  /** Ends the file: from here on it passes the check. */
  seal(): void {
    this.write(encoder.encode(`sha256 ${this.#hash.digest("hex")}\n`));
  }
}

/** Reads at a position of a file into a buffer; answers how many bytes it got, 0 at the end. */
export type ReadAt = (buffer: Uint8Array, position: number) => number;

/** A file that passed the check. */
export interface Submission {
  readonly envelope: Submitted;
  /** Bytes of the message. */
  readonly size: number;
  /** The message has bytes above 127. */
  readonly eightBit: boolean;
  /** The SHA-256 that was found right. */
  readonly checksum: Uint8Array;
  /** The message, once more from the file. Throws at its end if the file changed since it was checked. */
  content(): AsyncIterable<Uint8Array>;
}

/** Checks a file of `size` bytes; throws NotASubmission. Never holds more of it than its envelope and one step. */
export async function readSubmission(read: ReadAt, size: number): Promise<Submission> {
  const head = readHead(read, size);
  const end = size - TRAILER_BYTES;
  const given = trailer(readExactly(read, end, TRAILER_BYTES));
  const hash = createHash("sha256").update(head.bytes);
  const check = new ContentCheck();
  const buffer = new Uint8Array(STEP_BYTES);
  let turn = 0;
  for (let at = head.bytes.length; at < end;) {
    const part = readStep(read, buffer, at, end);
    check.take(part);
    hash.update(part);
    at += part.length;
    turn += part.length;
    if (turn >= BYTES_PER_TURN) turn = await nextTurn();
  }
  check.end();
  const checksum = hash.digest();
  if (checksum.toString("hex") !== given) throw new NotASubmission("checksum does not match");
  return {
    envelope: parseEnvelope(head.envelope),
    size: end - head.bytes.length,
    eightBit: check.eightBit,
    checksum,
    content: () =>
      again(read, head.bytes.length, end, createHash("sha256").update(head.bytes), given),
  };
}

/**
 * The same without a look at the message: enough to show what waits, not enough to send it. Throws NotASubmission for what
 * has no envelope or no last line.
 */
export function readEnvelope(
  read: ReadAt,
  size: number,
): Pick<Submission, "envelope" | "size" | "content"> {
  const head = readHead(read, size), end = size - TRAILER_BYTES;
  const given = trailer(readExactly(read, end, TRAILER_BYTES));
  return {
    envelope: parseEnvelope(head.envelope),
    size: end - head.bytes.length,
    content: () =>
      again(read, head.bytes.length, end, createHash("sha256").update(head.bytes), given),
  };
}

function nextTurn(): Promise<0> {
  return new Promise((resolve) => setTimeout(() => resolve(0), 0));
}

/** The message a second time. Its owner may have written to the file meanwhile: then it must not be sent to the end. */
async function* again(
  read: ReadAt,
  from: number,
  end: number,
  hash: Hash,
  expected: string,
): AsyncGenerator<Uint8Array> {
  for (let at = from; at < end;) {
    // A buffer each: the bytes wait in the connection until the socket takes them.
    const part = readStep(read, new Uint8Array(Math.min(STEP_BYTES, end - at)), at, end);
    hash.update(part);
    at += part.length;
    if (at >= end && hash.digest("hex") !== expected) {
      throw new NotASubmission("changed while it was read");
    }
    yield part;
    await nextTurn();
  }
}

function readHead(read: ReadAt, size: number): { bytes: Uint8Array; envelope: Uint8Array } {
  const start = new Uint8Array(Math.min(MAX_HEAD_BYTES, Math.max(size, 0)));
  const got = start.subarray(0, read(start, 0));
  const match = /^postern submission 1 ([1-9][0-9]{0,6})\n/.exec(latin1.decode(got));
  if (!match) throw new NotASubmission("not made by sendmail");
  const length = Number(match[1]);
  if (length > MAX_ENVELOPE_BYTES) throw new NotASubmission("envelope too long");
  const total = match[0].length + length + 1;
  if (total + TRAILER_BYTES > size) throw new NotASubmission("not complete");
  const bytes = readExactly(read, 0, total);
  if (bytes[total - 1] !== 10) throw new NotASubmission("envelope not of the declared length");
  return { bytes, envelope: bytes.subarray(match[0].length, total - 1) };
}

function readExactly(read: ReadAt, from: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let got = 0; got < length;) {
    got += readStep(read, bytes.subarray(got), from + got, from + length).length;
  }
  return bytes;
}

function readStep(read: ReadAt, buffer: Uint8Array, at: number, end: number): Uint8Array {
  const wanted = buffer.subarray(0, Math.min(buffer.length, end - at));
  const got = read(wanted, at);
  if (got <= 0) throw new NotASubmission("shrank while it was read");
  return wanted.subarray(0, got);
}

function trailer(bytes: Uint8Array): string {
  const match = /^sha256 ([0-9a-f]{64})\n$/.exec(latin1.decode(bytes));
  if (!match) throw new NotASubmission("not complete");
  return match[1]!;
}

function parseEnvelope(bytes: Uint8Array): Submitted {
  let value: unknown;
  try {
    value = JSON.parse(decoder.decode(bytes));
  } catch (error) {
    throw new NotASubmission(`envelope: ${reason(error)}`);
  }
  if (!submitted.Check(value)) throw new NotASubmission("envelope not of the declared shape");
  const texts = [value.sender, value.fullName, ...value.recipients];
  if (!texts.every((text) => text.isWellFormed())) {
    throw new NotASubmission("envelope not of the declared shape");
  }
  return value;
}

/** Lines end in CRLF, and there is no other CR or LF: what every reader inside the system relies on. */
class ContentCheck {
  eightBit = false;
  // As if a line had just ended.
  #last = 10;

  take(bytes: Uint8Array): void {
    let last = this.#last, bits = 0;
    for (let at = 0; at < bytes.length; at++) {
      const byte = bytes[at]!;
      if ((byte === 10) !== (last === 13)) throw new NotASubmission("bare CR or LF in the message");
      bits |= byte;
      last = byte;
    }
    this.#last = last;
    if (bits & 0x80) this.eightBit = true;
  }

  end(): void {
    if (this.#last !== 10) throw new NotASubmission("last line of the message not ended");
  }
}
