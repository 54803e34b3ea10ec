/** Long lines made short, for people and for RFC 5322 2.1.1. */

const WIDTH = 79;
const INDENT = "    ";
/** No line of a message may be longer than 998 bytes: a word beyond this is cut. */
const MAX_WORD = 200;

/** The text on lines of up to 79 characters where its spaces allow; all but the first are indented. Runs of spaces are one. */
export function fold(text: string): string {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ").filter(Boolean).flatMap(shortWords)) {
    const longer = line ? `${line} ${word}` : word;
    if (longer.length <= WIDTH || !line) line = longer;
    else {
      lines.push(line);
      line = INDENT + word;
    }
  }
  return [...lines, line].join("\r\n");
}

function shortWords(word: string): string[] {
  const parts: string[] = [];
  for (let at = 0; at === 0 || at < word.length; at += MAX_WORD) {
    parts.push(word.slice(at, at + MAX_WORD));
  }
  return parts;
}
