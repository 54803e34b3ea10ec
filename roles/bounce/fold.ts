/** Long lines made short, for people and for RFC 5322 2.1.1. Only prose: what programs read is changed by it. */

import { utf8Bytes } from "../../shared/bytes.ts";

const WIDTH = 79;
const INDENT = "    ";
/** RFC 5322 2.1.1, without the line end. */
const MAX_LINE_BYTES = 998;
/** A word is cut after so many characters, of four bytes at most. */
const CUTS = /.{1,200}/gsu;

/** True for what may be a line of a message. */
export function fitsLine(text: string): boolean {
  return utf8Bytes(text).length <= MAX_LINE_BYTES;
}

/** The text on lines of up to 79 characters where its spaces allow; all but the first are indented. Runs of spaces are one. */
export function fold(text: string): string {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ").filter(Boolean).flatMap((word) => word.match(CUTS)!)) {
    const longer = line ? `${line} ${word}` : word;
    if (longer.length <= WIDTH || !line) line = longer;
    else {
      lines.push(line);
      line = INDENT + word;
    }
  }
  return [...lines, line].join("\r\n");
}
