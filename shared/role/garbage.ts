/**
 * What V8 leaves lying about. It is told to wait for much garbage, because whole collections cost mail that flows a seventh of
 * its speed; a role that has little to do would grow for hours before the first. So roles look now and then for themselves.
 */

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** Collected once so much has come together since the last time. */
const MUCH_BYTES = 16 * 1024 * 1024;

/** And no more often: it stops everything for a tenth of a second, and who makes so much so fast is collected by V8. */
const PAUSE_MS = 60_000;

export class Garbage {
  #left: number;
  #collectedAt: number;

  /** `used` is in bytes, with what the heap holds outside itself; `steady` in milliseconds. */
  constructor(
    readonly used: () => number = usedBytes,
    readonly collect = collectAll,
    readonly steady: () => number = () => performance.now(),
  ) {
    this.#left = used();
    this.#collectedAt = steady();
  }

  /** Collects if that is worth it: call it every few seconds. */
  look(): void {
    const now = this.steady();
    if (now - this.#collectedAt < PAUSE_MS || this.used() - this.#left < MUCH_BYTES) return;
    this.#collectedAt = now;
    this.collect();
    this.#left = this.used();
  }
}

function usedBytes(): number {
  const { heapUsed, external } = Deno.memoryUsage();
  return heapUsed + external;
}

let gc: (() => void) | undefined;

/**
 * Deno's own gc(), which takes no arguments and is there for any code: V8's, of the flag --expose-gc, writes a snapshot of the
 * heap to any file (`policies/deno_flags.ts`). Made when first wanted, since many a role never is that untidy.
 */
function collectAll(): void {
  if (gc === undefined) {
    setFlagsFromString("--expose-gc");
    gc = runInNewContext("gc") as () => void;
  }
  gc();
}
