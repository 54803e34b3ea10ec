/**
 * What rewrite answered a moment ago, for the callers on the hot path. Answers that are still fresh come without a
 * promise; the same question asked twice at once is one call. Table changes show within `FRESH_MS`.
 */

import type { Client } from "./ipc/client.ts";
import type { ReplyOf, RequestOf } from "./ipc/declare.ts";
import type { Resolved, rewriteService } from "./protocols/rewrite.ts";

/** How long an answer is used: a changed table shows within this. */
export const FRESH_MS = 2000;
/** The most answers kept for each call: a sender of random addresses cannot fill memory. */
const MAX_ENTRIES = 5000;
/** The most characters of values kept from tables: a list of a thousand members has many names, each with an answer. */
const MAX_VALUE_LENGTH = 16 * 1024 * 1024;

type Calls = typeof rewriteService.calls;
export type Recipient = ReplyOf<Calls, "recipient">;
export type Lookup = ReplyOf<Calls, "lookup">;
export type LookupParameter = RequestOf<Calls, "lookup">["parameter"];

export interface Options {
  /** Milliseconds from any start; a test's own. */
  readonly clock?: () => number;
  readonly maxEntries?: number;
  readonly maxValueLength?: number;
}

/** Asks rewrite, at most once in `FRESH_MS` for the same question. Failed calls throw CallError and are not kept. */
export class RewriteCache {
  #client: Client<Calls>;
  #clock: () => number;
  #rewrite;
  #resolve;
  #recipient;
  #lookup;

  constructor(client: Client<Calls>, options: Options = {}) {
    this.#client = client;
    this.#clock = options.clock ?? (() => performance.now());
    const max = options.maxEntries ?? MAX_ENTRIES;
    this.#rewrite = new Answers<{ address: string }>(max, () => true);
    this.#resolve = new Answers<Resolved>(max, (resolved) => !resolved.fail);
    this.#recipient = new Answers<Recipient>(
      max,
      ({ resolved, listed }) => !resolved.fail && listed !== "fail",
    );
    this.#lookup = new Answers<Lookup>(max, (found) => !found.fail, {
      max: options.maxValueLength ?? MAX_VALUE_LENGTH,
      of: ({ value }) => value?.length ?? 0,
    });
  }

  /** The address in standard form (reference 5.3). */
  rewrite(context: "local" | "remote", address: string): string | Promise<string> {
    const answer = this.#rewrite.get(
      `${context} ${address}`,
      this.#clock(),
      () => this.#client.call("rewrite", { context, address }),
    );
    return answer instanceof Promise ? answer.then((reply) => reply.address) : answer.address;
  }

  /** Where the address goes (reference 5.2). */
  resolve(sender: string, address: string): Resolved | Promise<Resolved> {
    return this.#resolve.get(
      key(sender, address),
      this.#clock(),
      () => this.#client.call("resolve", { sender, address }),
    );
  }

  /** Where the address goes and whether it is listed in its class. */
  recipient(sender: string, address: string): Recipient | Promise<Recipient> {
    return this.#recipient.get(
      key(sender, address),
      this.#clock(),
      () => this.#client.call("recipient", { sender, address }),
    );
  }

  /** The address in one of the tables; `value` is null when it is not there. */
  lookup(parameter: LookupParameter, address: string): Lookup | Promise<Lookup> {
    return this.#lookup.get(
      `${parameter} ${address}`,
      this.#clock(),
      () => this.#client.call("lookup", { parameter, address }),
    );
  }
}

/** Addresses may have spaces, but no line feed. */
function key(sender: string, address: string): string {
  return `${sender}\n${address}`;
}

interface Entry<R> {
  readonly reply: R;
  readonly until: number;
}

/** How long a reply is, and the most that all may be together. */
interface Length<R> {
  readonly max: number;
  of(reply: R): number;
}

/** The answers to one call. Two generations bound it without a list of who was used last. */
class Answers<R> {
  #young = new Map<string, Entry<R>>();
  #old = new Map<string, Entry<R>>();
  #asking = new Map<string, Promise<R>>();
  /** Of the young. */
  #length = 0;

  /** Without `length` all replies are short. */
  constructor(
    readonly max: number,
    readonly keep: (reply: R) => boolean,
    readonly length?: Length<R>,
  ) {}

  get(key: string, now: number, ask: () => Promise<{ reply: R }>): R | Promise<R> {
    const entry = this.#young.get(key) ?? this.#old.get(key);
    if (entry && now < entry.until) return entry.reply;
    let asking = this.#asking.get(key);
    if (!asking) {
      asking = this.#ask(key, now, ask);
      this.#asking.set(key, asking);
    }
    return asking;
  }

  async #ask(key: string, now: number, ask: () => Promise<{ reply: R }>): Promise<R> {
    try {
      const { reply } = await ask();
      // Counted from the question: the table may have changed while the answer was under way.
      if (this.keep(reply)) this.#put(key, { reply, until: now + FRESH_MS });
      return reply;
    } finally {
      this.#asking.delete(key);
    }
  }

  #put(key: string, entry: Entry<R>): void {
    const { length } = this;
    const more = length?.of(entry.reply) ?? 0;
    if (this.#young.size >= this.max / 2 || (length && this.#length + more > length.max / 2)) {
      this.#old = this.#young;
      this.#young = new Map();
      this.#length = 0;
    }
    this.#young.set(key, entry);
    this.#length += more;
  }
}
