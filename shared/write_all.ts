/** Whole writes: what takes bytes may take a part of them at a time. */

/** What Deno's files and standard streams have. */
export interface Taker {
  /** Answers how many it took; throws what the system says. */
  writeSync(bytes: Uint8Array): number;
}

/** Writes all of it. Throws what the system says; then a part may have been written. */
export function writeAll(to: Taker, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) at += to.writeSync(bytes.subarray(at));
}
