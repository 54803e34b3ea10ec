/**
 * Sees that somebody has put another file in the log's place, as logrotate does. Who writes the log cannot: its sandbox shows it
 * the one that it was started with, whatever that is called by now.
 */

/** True once the file is another than now, or was missing at two looks: who moves a file makes the next one soon. */
export function movedAway(path: string): () => boolean {
  const before = identity(path);
  let missing = false;
  return () => {
    const now = identity(path), missed = missing;
    missing = now === undefined;
    return now !== before && (now !== undefined || missed);
  };
}

/** What no two files have in common; undefined without a file that we may look at. */
function identity(path: string): string | undefined {
  try {
    const { dev, ino } = Deno.statSync(path);
    return `${dev} ${ino}`;
  } catch {
    return undefined;
  }
}
