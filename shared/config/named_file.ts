/** Text files that a configuration or a command line names. */

/** Always empty: as good as a file without lines. */
const NOTHING = "/dev/null";

/** What the decoder puts in place of bytes that are not UTF-8. */
export const REPLACEMENT = "\u{fffd}";

/** What is there, if it is a file; throws for anything else: to open a FIFO would wait until somebody writes to it. */
export function lookAt(path: string): Deno.FileInfo {
  const found = Deno.statSync(path);
  if (!found.isFile && path !== NOTHING) throw new Error("is not a regular file");
  return found;
}

/** Its text; throws where it is larger than `maxBytes`. */
export function textOfFile(path: string, maxBytes: number): string {
  if (lookAt(path).size > maxBytes) throw new Error("is too large");
  return Deno.readTextFileSync(path);
}
