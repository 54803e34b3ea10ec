/**
 * What V8 leaves lying about. It is told to wait for much garbage, because whole collections cost mail that flows a seventh of
 * its speed; a role that has little to do would grow for hours before the first. So roles look now and then for themselves.
 */

/** Collected once so much has come together since the last time. */
const MUCH_BYTES = 16 * 1024 * 1024;

export class Garbage {
  #left: number;

  /** `used` is in bytes, with what the heap holds outside itself; `collect` is undefined where V8 does not let us. */
  constructor(readonly used: () => number = usedBytes, readonly collect = collectAll()) {
    this.#left = used();
  }

  /** Collects if that is worth it: call it every few seconds. */
  look(): void {
    if (this.used() - this.#left < MUCH_BYTES) return;
    this.collect?.();
    this.#left = this.used();
  }
}

function usedBytes(): number {
  const { heapUsed, external } = Deno.memoryUsage();
  return heapUsed + external;
}

/** Of V8's flag --expose-gc. */
function collectAll(): (() => void) | undefined {
  return (globalThis as { gc?: () => void }).gc;
}
