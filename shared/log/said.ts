/** Log lines with the time at which each was said: postlogd puts those of several roles in order by it. */

export interface Said {
  readonly lines: string[];
  /** Of the first line, microseconds since the epoch. */
  readonly since: number;
  /** Of each line, microseconds after the first. */
  readonly after: number[];
}

/** The time of day: milliseconds would not tell what happened first within a message. */
export function microseconds(): number {
  return Number(Temporal.Now.instant().epochNanoseconds / 1000n);
}

/** Lines as they are said, until they are taken. */
export class Speech {
  #lines: string[] = [];
  #since = 0;
  /** When the first line was said, by a clock that nobody can set. */
  #began = 0;
  #after: number[] = [];

  get length(): number {
    return this.#lines.length;
  }

  add(line: string): void {
    const now = performance.now();
    if (!this.#lines.length) {
      this.#since = microseconds();
      this.#began = now;
    }
    this.#lines.push(line);
    this.#after.push(Math.round((now - this.#began) * 1000));
  }

  take(): Said {
    const said = { lines: this.#lines, since: this.#since, after: this.#after };
    this.#lines = [];
    this.#after = [];
    return said;
  }
}
