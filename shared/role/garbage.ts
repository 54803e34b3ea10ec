/**
 * What V8 leaves lying about. It is told to wait for much garbage, because whole collections cost mail that flows a seventh of
 * its speed; a role that has little to do would grow for hours before the first. So roles look now and then for themselves.
 */

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
    readonly collect: () => void | Promise<void> = collectAll,
    readonly steady: () => number = () => performance.now(),
  ) {
    this.#left = used();
    this.#collectedAt = steady();
  }

  /** Collects if that is worth it: call it every few seconds. */
  async look(): Promise<void> {
    const now = this.steady();
    if (now - this.#collectedAt < PAUSE_MS || this.used() - this.#left < MUCH_BYTES) return;
    this.#collectedAt = now;
    await this.collect();
    this.#left = this.used();
  }
}

function usedBytes(): number {
  const { heapUsed, external } = Deno.memoryUsage();
  return heapUsed + external;
}

let gc: Promise<() => void> | undefined;

/**
 * Deno's own gc(), which takes no arguments and is there for any code: V8's, of the flag --expose-gc, writes a snapshot of the
 * heap to any file (`policies/deno_flags.ts`). Made, and its modules read, when first wanted: many a role never is that untidy.
 */
async function collectAll(): Promise<void> {
  (await (gc ??= makeGc()))();
}

async function makeGc(): Promise<() => void> {
  const { setFlagsFromString } = await import("node:v8");
  const { runInNewContext } = await import("node:vm");
  setFlagsFromString("--expose-gc");
  return runInNewContext("gc");
}
