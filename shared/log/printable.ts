/** Foreign text made fit for a log line. */

const UNPRINTABLE =
  // deno-lint-ignore no-control-regex
  /[\u0000-\u001f\u007f-\u009f\u2028\u2029\ufffd\ufeff\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** Each control character, direction override or broken byte becomes `?`. Text is cut at `MAX_LOG_TEXT`. */
export function printable(text: string): string {
  const cut = text.length > MAX_LOG_TEXT ? text.slice(0, MAX_LOG_TEXT) + "..." : text;
  return withoutControls(cut);
}

/** The same for a whole line, whatever its length. */
export function withoutControls(line: string): string {
  return line.toWellFormed().replace(UNPRINTABLE, "?");
}

/** Longer texts are cut: a peer must not be able to fill the log with one line. */
export const MAX_LOG_TEXT = 2000;
