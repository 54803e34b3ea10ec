/** How DNS messages go over TCP: the length of each stands before it, in two bytes (RFC 1035 4.2.2). */

const LENGTH_BYTES = 2;

/** A message with its length before it. */
export function framed(message: Uint8Array): Uint8Array {
  const frame = new Uint8Array(LENGTH_BYTES + message.length);
  new DataView(frame.buffer).setUint16(0, message.length);
  frame.set(message, LENGTH_BYTES);
  return frame;
}

/** The first message of a stream, however it is cut. */
export class TcpFrame {
  #length = new Uint8Array(LENGTH_BYTES);
  #message: Uint8Array | undefined;
  /** Bytes received, those of the length among them. */
  #received = 0;

  /** Takes what arrived; the message once it is whole. What follows it is nobody's. */
  push(data: Uint8Array): Uint8Array | undefined {
    let at = 0;
    while (this.#received < LENGTH_BYTES) {
      if (at === data.length) return undefined;
      this.#length[this.#received++] = data[at++]!;
    }
    this.#message ??= new Uint8Array(new DataView(this.#length.buffer).getUint16(0));
    const filled = this.#received - LENGTH_BYTES;
    const part = data.subarray(at, at + this.#message.length - filled);
    this.#message.set(part, filled);
    this.#received += part.length;
    return this.#received - LENGTH_BYTES === this.#message.length ? this.#message : undefined;
  }
}
