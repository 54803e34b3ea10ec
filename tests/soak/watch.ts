/** Looks at a running system again and again: memory and descriptors of each process, files of the whole system. */

import { cost, processTree } from "../support/processes.ts";
import type { System } from "../support/system.ts";
import { mean, type Sample, slope } from "./slopes.ts";

const EVERY_MS = 2000;
const KIB_PER_MB = 1024;

/**
 * How much a figure may grow over the whole run, as its slope foretells. V8 collects its old generation when that has
 * become three times as large, some 30 MB more with the buffers that hang on it: a saw whose tooth may be longer than a run.
 */
const GROWTH_LIMITS = { "PSS MB": 64, descriptors: 8, files: 20 } as const;
type Kind = keyof typeof GROWTH_LIMITS;

export interface Growth {
  /** `qmgr: PSS MB`. */
  readonly name: string;
  readonly mean: number;
  readonly perMinute: number;
  readonly growth: number;
  readonly limit: number;
}

export class Watch {
  /** By role and kind, then by process. */
  #samples = new Map<string, Map<number, Sample[]>>();
  #firstSeen = new Map<number, number>();
  #timer: ReturnType<typeof setInterval>;
  #began = performance.now();

  /** Each process is left alone for `warmUpMinutes`: engines compile and caches fill. */
  constructor(readonly system: System, readonly warmUpMinutes: number) {
    this.#timer = setInterval(() => this.#look(), EVERY_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  get minutes(): number {
    return (performance.now() - this.#began) / 60_000;
  }

  /** What grew, and by how much it may. */
  growth(): Growth[] {
    const measured = Math.max(0, this.minutes - this.warmUpMinutes);
    return [...this.#samples].toSorted(([a], [b]) => a.localeCompare(b)).map(([name, series]) => {
      const all = [...series.values()];
      const perMinute = slope(all);
      const kind = name.slice(name.indexOf(": ") + 2) as Kind;
      return {
        name,
        mean: mean(all.flat().map(({ value }) => value)),
        perMinute,
        growth: perMinute * measured,
        limit: GROWTH_LIMITS[kind],
      };
    });
  }

  #look(): void {
    const now = this.minutes;
    for (const { pid, role } of processTree(this.system.configuration)) {
      if (!this.#firstSeen.has(pid)) this.#firstSeen.set(pid, now);
      if (role === "bwrap" || now - this.#firstSeen.get(pid)! < this.warmUpMinutes) continue;
      const held = cost(pid);
      if (!held) continue;
      this.#note(role, "PSS MB", pid, held.pssKib / KIB_PER_MB);
      this.#note(role, "descriptors", pid, held.descriptors);
    }
    if (now >= this.warmUpMinutes) {
      this.#note("queue", "files", 0, filesBelow(this.system.queue).length);
    }
  }

  #note(role: string, kind: Kind, pid: number, value: number): void {
    const name = `${role}: ${kind}`;
    const series = this.#samples.get(name) ?? new Map<number, Sample[]>();
    this.#samples.set(name, series);
    const samples = series.get(pid) ?? [];
    series.set(pid, samples);
    samples.push({ minutes: this.minutes, value });
  }
}

/** Files at all depths; those that vanish meanwhile do not matter. */
export function filesBelow(directory: string): string[] {
  try {
    return [...Deno.readDirSync(directory)].flatMap(({ name, isDirectory }) => {
      const path = `${directory}/${name}`;
      return isDirectory ? filesBelow(path) : [path];
    });
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}
