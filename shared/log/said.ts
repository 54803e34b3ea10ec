/** Log lines with the time at which each was said: postlogd puts those of several roles in order by it. */

import type { Severity } from "./log.ts";

export interface Said {
  readonly lines: string[];
  /** Of the first line, microseconds since the epoch. */
  readonly since: number;
  /** Of each line, microseconds after the first. */
  readonly after: number[];
}

/** Lines as a role says them: texts alone. Who says them is known by where they come in. */
export interface Spoken extends Said {
  /** The first letter of each line's severity. */
  readonly severities: string;
  /** JSON of the fields that an event has beside its text, for JSON logs; empty, or missing at the end, where it has none. */
  readonly fields: string[];
}

const SEVERITIES: Readonly<Record<string, Severity>> = {
  i: "info",
  w: "warning",
  e: "error",
  f: "fatal",
  p: "panic",
};

/** The severity of a spoken line. */
export function severityOf({ severities }: Spoken, n: number): Severity {
  return SEVERITIES[severities[n] ?? ""] ?? "info";
}

/** When a line was said, microseconds since the epoch. */
export function timeOf({ since, after }: Said, n: number): number {
  return since + (after[n] ?? 0);
}

/** The time of day: milliseconds would not tell what happened first within a message. */
export function microseconds(): number {
  return Number(Temporal.Now.instant().epochNanoseconds / 1000n);
}

/** The time of day and the clock that nobody can set, as read one after the other: microseconds, milliseconds. */
interface Moment {
  readonly wall: number;
  readonly steady: number;
}

/** What the two clocks may be apart, microseconds, before they are read again; how often that is tried. */
const MAX_APART = 50, MAX_READINGS = 5;

/**
 * Both clocks at one moment. Whatever comes between two readings (the first use of Temporal, another process) would move the
 * lines that follow against those of other roles: of several pairs the closest counts.
 */
export function moment(wall = microseconds, steady = () => performance.now()): Moment {
  let best: Moment | undefined, least = Infinity;
  for (let n = 0; n < MAX_READINGS && least > MAX_APART; n++) {
    const before = steady(), now = wall(), apart = (steady() - before) * 1000;
    if (apart >= least) continue;
    least = apart;
    best = { wall: now, steady: before };
  }
  return best!;
}

/** Lines as they are said, until they are taken. */
export class Speech {
  #lines: string[] = [];
  #severities = "";
  #fields: string[] = [];
  #since = 0;
  /** When the first line was said, by a clock that nobody can set. */
  #began = 0;
  #after: number[] = [];

  get length(): number {
    return this.#lines.length;
  }

  /** `fields` is JSON, or empty. */
  add(severity: Severity, text: string, fields = ""): void {
    const first = !this.#lines.length;
    if (first) ({ wall: this.#since, steady: this.#began } = moment());
    if (fields) this.#fields[this.#lines.length] = fields;
    this.#lines.push(text);
    this.#severities += severity[0];
    this.#after.push(first ? 0 : Math.round((performance.now() - this.#began) * 1000));
  }

  take(): Spoken {
    const spoken = {
      lines: this.#lines,
      severities: this.#severities,
      fields: Array.from(this.#fields, (each) => each ?? ""),
      since: this.#since,
      after: this.#after,
    };
    this.#lines = [];
    this.#severities = "";
    this.#fields = [];
    this.#after = [];
    return spoken;
  }
}
