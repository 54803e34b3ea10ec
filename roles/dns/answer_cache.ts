/** Answers that are remembered for as long as they hold: so many, and no more than so much, or those go that were used longest ago. */

import type { DnsAnswer } from "../../shared/protocols/dns.ts";

/** In bytes, about: whoever owns a zone can list a hundred names as long as names may be, and have each of its names asked for. */
const MAX_SIZE = 32 << 20;
/** What an answer, and each of its records, takes beside the text. */
const ANSWER_SIZE = 400;
const RECORD_SIZE = 80;

interface Remembered {
  readonly answer: DnsAnswer;
  /** Milliseconds of the clock. */
  readonly until: number;
  readonly size: number;
}

export class AnswerCache {
  /** Last in the map is last used. */
  #entries = new Map<string, Remembered>();
  #size = 0;

  constructor(readonly maxEntries: number, readonly maxSize = MAX_SIZE) {}

  /** The answer, if it still holds. */
  get(key: string, now: number): DnsAnswer | undefined {
    const found = this.#take(key);
    if (!found || found.until <= now) return undefined;
    this.#put(key, found);
    return found.answer;
  }

  /** Remembers an answer until then. */
  put(key: string, answer: DnsAnswer, until: number): void {
    this.#take(key);
    this.#put(key, { answer, until, size: sizeOf(key, answer) });
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= this.maxEntries && this.#size <= this.maxSize) break;
      this.#take(oldest);
    }
  }

  #put(key: string, entry: Remembered): void {
    this.#entries.set(key, entry);
    this.#size += entry.size;
  }

  #take(key: string): Remembered | undefined {
    const found = this.#entries.get(key);
    if (found) this.#size -= found.size;
    this.#entries.delete(key);
    return found;
  }
}

function sizeOf(key: string, { text, records }: DnsAnswer): number {
  return records.reduce(
    (sum, { data }) => sum + RECORD_SIZE + data.length,
    ANSWER_SIZE + key.length + text.length,
  );
}
