/** Messages of many megabytes that no process has to hold, and the digests by which they are known at their destination. */

import { createHash, type Hash } from "node:crypto";
import type { Taker } from "../support/sink.ts";

const BLOCK_BYTES = 1024 * 1024;
/** Random bytes that one call gives. */
const RANDOM_BYTES = 65_536;
const LINE_BYTES = 76;
const LF = 10, CR = 13, DOT = 46;

export const ID_HEADER = "X-Scale-Id";

/** A message whose body is one block of random 8-bit text, repeated: as lines, or all of it as one line. */
export class LargeMessage {
  readonly header: string;
  /** SHA-256 of the body, by how its lines end. */
  readonly digests: { readonly crlf: string; readonly lf: string };
  /** The block as it is sent. */
  #block: Uint8Array;

  constructor(readonly id: string, readonly bytes: number, readonly oneLine: boolean) {
    this.header = `${ID_HEADER}: ${id}\r\nSubject: large\r\n\r\n`;
    const block = oneLine ? randomText(BLOCK_BYTES) : randomLines(BLOCK_BYTES);
    // The only line that begins in it, as some of the others do.
    if (oneLine) block[0] = DOT;
    const { crlf, lf } = { crlf: createHash("sha256"), lf: createHash("sha256") };
    const bare = block.filter((byte) => byte !== CR);
    for (let n = 0; n < this.#blocks; n++) {
      crlf.update(block);
      lf.update(bare);
    }
    if (oneLine) {
      crlf.update("\r\n");
      lf.update("\n");
    }
    this.digests = { crlf: crlf.digest("hex"), lf: lf.digest("hex") };
    this.#block = oneLine ? block : stuffed(block);
  }

  get #blocks(): number {
    return Math.ceil(this.bytes / BLOCK_BYTES);
  }

  /** The body as it is sent after DATA, the final dot included. */
  *wire(): Generator<Uint8Array> {
    const encoder = new TextEncoder();
    if (this.oneLine) yield encoder.encode(".");
    for (let n = 0; n < this.#blocks; n++) yield this.#block;
    yield encoder.encode(this.oneLine ? "\r\n.\r\n" : ".\r\n");
  }
}

/** Takes a message as it arrives; its header is kept, its body only counted into the digest. */
export class Digest implements Taker {
  #header = new Uint8Array(0);
  #hash: Hash | undefined;

  /** Its id and its body's digest go into `digests`. */
  constructor(readonly lineEnd: "\r\n" | "\n", readonly digests: Map<string, string>) {}

  push(bytes: Uint8Array): void {
    if (this.#hash) return void this.#hash.update(bytes);
    const header = new Uint8Array(this.#header.length + bytes.length);
    header.set(this.#header);
    header.set(bytes, this.#header.length);
    const separator = this.lineEnd.repeat(2);
    const end = latin1(header).indexOf(separator);
    this.#header = end < 0 ? header : header.subarray(0, end);
    if (end >= 0) {
      this.#hash = createHash("sha256").update(header.subarray(end + separator.length));
    }
  }

  end(): void {
    const id = new RegExp(`^${ID_HEADER}: (.*?)\r?$`, "m").exec(latin1(this.#header))?.[1] ?? "";
    this.digests.set(id, this.#hash?.digest("hex") ?? "");
  }
}

function latin1(bytes: Uint8Array): string {
  return new TextDecoder("latin1").decode(bytes);
}

/** Every byte but NUL and the ends of lines. */
function randomText(length: number): Uint8Array {
  const text = new Uint8Array(length);
  for (let at = 0; at < length; at += RANDOM_BYTES) {
    crypto.getRandomValues(text.subarray(at, Math.min(length, at + RANDOM_BYTES)));
  }
  return text.map((byte) => byte === 0 || byte === LF || byte === CR ? 0x78 : byte);
}

/** The same as lines, some of which begin with dots. */
function randomLines(length: number): Uint8Array {
  const text = randomText(length);
  for (let at = 0; at < length; at += LINE_BYTES) {
    const end = Math.min(length, at + LINE_BYTES);
    text.set([CR, LF], end - 2);
    if (text[at]! % 3 === 0 && end - at > 4) text.fill(DOT, at, at + 1 + text[at]! % 2);
  }
  return text;
}

/** With a dot before each line that begins with one (RFC 5321 4.5.2). */
function stuffed(block: Uint8Array): Uint8Array {
  const out: number[] = [];
  for (let at = 0, last = LF; at < block.length; last = block[at++]!) {
    if (last === LF && block[at] === DOT) out.push(DOT);
    out.push(block[at]!);
  }
  return Uint8Array.from(out);
}
