/**
 * Quoted-printable (RFC 2045 6.7) of text that arrives in pieces: line ends stay, all else becomes printable ASCII in lines of
 * at most 76 characters. No line of the result begins with a hyphen, so none can be taken for a MIME boundary.
 */

/** Characters of a line, the soft line break's `=` included. */
const MAX_LINE = 76;

const TAB = 9, LF = 10, CR = 13, SPACE = 32, HYPHEN = 45, EQUALS = 61, TILDE = 126;
const HEX = new TextEncoder().encode("0123456789ABCDEF");

export class QuotedPrintable {
  /** Characters of the line that has begun. */
  #column = 0;

  /**
   * The next piece of a line; `last` when the line ends with it, with or without its line end. Pieces before the last must
   * not end between CR and LF.
   */
  encode(piece: Uint8Array, last: boolean): Uint8Array {
    const text = piece.length - (last ? lineEnd(piece) : 0);
    // At most each byte as three, and three for a line break after every 24 of these.
    const out = new Uint8Array(Math.ceil(text * 3 * (1 + 3 / 72)) + 8);
    let length = 0;
    for (let at = 0; at < text; at++) {
      const byte = piece[at]!;
      // White space that a line ends with would be stripped on the way (RFC 2045 6.7, rule 3).
      const blank = byte === SPACE || byte === TAB;
      const plain = blank ? at + 1 < text : byte > SPACE && byte <= TILDE && byte !== EQUALS;
      let width = plain ? 1 : 3;
      if (this.#column + width > MAX_LINE - 1) {
        out[length++] = EQUALS;
        out[length++] = CR;
        out[length++] = LF;
        this.#column = 0;
      }
      if (plain && (this.#column > 0 || byte !== HYPHEN)) out[length++] = byte;
      else {
        width = 3;
        out[length++] = EQUALS;
        out[length++] = HEX[byte >> 4]!;
        out[length++] = HEX[byte & 15]!;
      }
      this.#column += width;
    }
    out.set(piece.subarray(text), length);
    if (last) this.#column = 0;
    return out.subarray(0, length + piece.length - text);
  }
}

/** The length of the line end that a line ends with. */
function lineEnd(line: Uint8Array): number {
  if (line[line.length - 1] !== LF) return 0;
  return line[line.length - 2] === CR ? 2 : 1;
}
