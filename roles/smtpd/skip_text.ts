/** Looks for line ends four bytes at a time: several times as fast as one by one, on which whole messages would wait. */

/** Each byte of a word that is at most CR sets its highest bit; one above it may, too. */
const ABOVE_CR = 0x0e0e0e0e, HIGHEST_BITS = 0x80808080;

/** Bytes in the form that `skipText` reads. */
export function wordsOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** The first word from `at` on that may hold a CR or LF: what comes before is text. */
export function skipText(words: DataView, at: number): number {
  for (const last = words.byteLength - 4; at <= last; at += 4) {
    const word = words.getInt32(at);
    if ((word - ABOVE_CR) & ~word & HIGHEST_BITS) return at;
  }
  return at;
}
