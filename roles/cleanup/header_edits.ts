/** Changes to a header section: pieces of it stay views of what arrived, only what is new is new bytes. */

import { textBytes } from "../../shared/bytes.ts";

export class Edits {
  #parts: Uint8Array[] = [];
  #at = 0;

  constructor(readonly content: Uint8Array) {}

  /** Takes `start` to `end` out and puts text of one char a byte in its place. Edits come in order of position. */
  replace(start: number, end: number, text: string): void {
    if (start > this.#at) this.#parts.push(this.content.subarray(this.#at, start));
    if (text) this.#parts.push(textBytes(text));
    this.#at = end;
  }

  /** The pieces up to `end`; undefined when nothing was changed. */
  finish(end: number): Uint8Array[] | undefined {
    if (this.#at === 0 && !this.#parts.length) return undefined;
    if (end > this.#at) this.#parts.push(this.content.subarray(this.#at, end));
    return this.#parts;
  }
}
