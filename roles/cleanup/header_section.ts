/** The header section of a message that arrives whole or in pieces; the body behind it is never looked at. */

import type { Share } from "../../shared/budget.ts";
import { concat, EMPTY } from "../../shared/bytes.ts";
import type { Content } from "../../shared/ipc/content.ts";
import { type FieldNames, HeaderScanner } from "../../shared/mail/header.ts";

/** A message whose header section has been read. */
export interface Head {
  readonly scanner: HeaderScanner;
  /** What has arrived: the header section and the first of the body. */
  readonly bytes: Uint8Array;
  /** What has not; undefined when `bytes` is all. */
  readonly rest: AsyncIterator<Uint8Array> | undefined;
}

/** A field that somebody has to look at costs far more than the bytes that it is made of, if these are few. */
const FIELD_BYTES = 100;

/**
 * Reads until the header section has ended; undefined when it needs more than `share` has. Throws PeerError when the
 * submitter goes away.
 */
export async function readHead(
  content: Content,
  names: FieldNames,
  share: Share,
): Promise<Head | undefined> {
  const scanner = new HeaderScanner(names);
  if (content.whole) {
    scanner.scan(content.whole, true);
    if (!share.add(scanner.end)) return undefined;
    return { scanner, bytes: content.whole, rest: undefined };
  }
  const chunks = content[Symbol.asyncIterator]();
  const held = new Held();
  for (let fields = 0;; fields = scanner.fields.length) {
    const { value, done } = await chunks.next();
    if (!done) held.add(value);
    if (scanner.scan(held.bytes, done === true)) {
      return { scanner, bytes: held.bytes, rest: done ? undefined : chunks };
    }
    const more = (scanner.fields.length - fields) * FIELD_BYTES;
    if (!share.add(value!.length + more)) return undefined;
  }
}

/** Bytes that grow by doubling: small pieces must not cost the square of their number. */
class Held {
  #buffer: Uint8Array = EMPTY;
  #length = 0;

  get bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.#length);
  }

  add(chunk: Uint8Array): void {
    // Most header sections are whole in the first piece.
    if (this.#length === 0) {
      this.#buffer = chunk;
      this.#length = chunk.length;
      return;
    }
    const length = this.#length + chunk.length;
    if (length > this.#buffer.length) {
      const larger = new Uint8Array(Math.max(length, this.#buffer.length * 2));
      larger.set(this.bytes);
      this.#buffer = larger;
    }
    this.#buffer.set(chunk, this.#length);
    this.#length = length;
  }
}

/** What goes into the queue: `header` is the new header section, or undefined when it stays as it came. */
export function output(
  { scanner, bytes, rest }: Head,
  header: readonly Uint8Array[] | undefined,
): Uint8Array | AsyncIterable<Uint8Array> {
  const first = header ? concat([...header, bytes.subarray(scanner.end)]) : bytes;
  return rest ? joined([first], rest) : first;
}

/** True when the header section that goes into the queue has bytes beyond ASCII (RFC 6532 3). */
export function hasUtf8(
  { scanner, bytes }: Head,
  header: readonly Uint8Array[] = [bytes.subarray(0, scanner.end)],
): boolean {
  return header.some((piece) => piece.some((byte) => byte >= 0x80));
}

/** The rest is read only as fast as the queue takes it; when it fails, the enqueue fails. What was read is not kept. */
async function* joined(
  first: Uint8Array[],
  rest: AsyncIterator<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  yield first.pop()!;
  for (;;) {
    const { value, done } = await rest.next();
    if (done) return;
    yield value;
  }
}
