/**
 * Text of others (remote servers, clients, headers) made fit for people: for a log line, a terminal, a report. What ends a
 * line, moves a cursor, turns text around or hides it is decided here and nowhere else.
 */

/** Nearly all text is this, and needs no more than one look. */
const PLAIN = /^[ -~]*$/;
/** Controls, formats (direction, joiners, tags), separators of lines, what nobody sees, broken text. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\ufffd]/gu;

/** Each character that is not for people's eyes becomes `?`. Text is cut at `MAX_LOG_TEXT`. */
export function printable(text: string): string {
  const cut = text.length > MAX_LOG_TEXT ? text.slice(0, MAX_LOG_TEXT) + "..." : text;
  return withoutControls(cut);
}

/** The same for a whole line, whatever its length. */
export function withoutControls(line: string): string {
  return PLAIN.test(line) ? line : line.replace(UNPRINTABLE, "?");
}

/** JSON on one line, with such characters escaped: whoever reads it back has the text as it was. */
export function printableJson(value: unknown): string {
  const json = JSON.stringify(value);
  return PLAIN.test(json) ? json : json.replace(UNPRINTABLE, (character) => {
    const units = Array.from({ length: character.length }, (_, n) => character.charCodeAt(n));
    return units.map((unit) => `\\u${unit.toString(16).padStart(4, "0")}`).join("");
  });
}

/** Longer texts are cut: a peer must not be able to fill the log with one line. */
export const MAX_LOG_TEXT = 2000;
