/** Counts of clients: open connections, and what each did in the current time unit. */

import { clientMaximum, clientsMaximum } from "../../shared/log/lines.ts";

/** What is counted by rate. */
export type Kind = "connection" | "message" | "recipient" | "newtls" | "auth";

const KINDS: readonly Kind[] = ["connection", "message", "recipient", "newtls", "auth"];

/** So many clients are remembered: an attacker has more addresses than we have memory. */
const MAX_CLIENTS = 100_000;

interface Client {
  connections: number;
  /** When its time unit began. */
  since: number;
  rates: Record<Kind, number>;
}

/** The peak of something, and whose it was. */
interface Peak {
  readonly value: number;
  readonly service: string;
  readonly client: string;
  readonly at: number;
}

export class Counts {
  #clients = new Map<string, Client>();
  #peaks = new Map<Kind | "count", Peak>();
  #size = { value: 0, at: 0 };

  /** `steady` never goes back, and no clock that is set moves it; `now` is the time of day of the log; milliseconds. */
  constructor(
    public unitMs: number,
    readonly steady: () => number = () => performance.now(),
    readonly limit = MAX_CLIENTS,
    readonly now: () => number = Date.now,
  ) {}

  get size(): number {
    return this.#clients.size;
  }

  /** A connection begins. */
  connect(service: string, client: string): { connections: number; rate: number } {
    const entry = this.#entry(service, client);
    const connections = ++entry.connections;
    this.#peak("count", connections, service, client);
    return { connections, rate: this.#add(entry, "connection", 1, service, client) };
  }

  disconnect(service: string, client: string): void {
    const key = keyOf(service, client);
    const entry = this.#clients.get(key);
    if (!entry || !entry.connections) return;
    if (--entry.connections === 0 && this.#over(entry)) this.#clients.delete(key);
  }

  /** Something that is limited by rate; answers how many in this time unit. */
  event(service: string, client: string, kind: Kind, amount: number): number {
    return this.#add(this.#entry(service, client), kind, amount, service, client);
  }

  /** Forgets clients that are gone for longer than a time unit. */
  sweep(): void {
    for (const [key, entry] of this.#clients) {
      if (!entry.connections && this.#over(entry)) this.#clients.delete(key);
    }
  }

  /** Logs the peaks since the last time, and begins anew. */
  report(): void {
    const unit = Math.round(this.unitMs / 1000);
    const log = (name: Kind | "count", ...more: number[]) => {
      const peak = this.#peaks.get(name);
      if (peak) clientMaximum(name === "count" ? "connection" : name, peak, ...more);
    };
    log("connection", unit);
    log("count");
    for (const kind of KINDS.slice(1)) log(kind, unit);
    if (this.#size.value) clientsMaximum(this.#size.value, this.#size.at);
    this.#peaks.clear();
    this.#size = { value: 0, at: 0 };
  }

  #entry(service: string, client: string): Client {
    const key = keyOf(service, client);
    const known = this.#clients.get(key);
    if (known) return known;
    if (this.#clients.size >= this.limit) this.#makeRoom();
    const made = { connections: 0, since: this.steady(), rates: noRates() };
    this.#clients.set(key, made);
    if (this.#clients.size > this.#size.value) {
      this.#size = { value: this.#clients.size, at: this.now() };
    }
    return made;
  }

  /** Forgets the client seen first of those that are not connected; if all are, the very first. */
  #makeRoom(): void {
    let first: string | undefined, looked = 0;
    for (const [key, entry] of this.#clients) {
      first ??= key;
      if (!entry.connections) return void this.#clients.delete(key);
      if (++looked >= MAX_LOOKED) break;
    }
    if (first !== undefined) this.#clients.delete(first);
  }

  #add(entry: Client, kind: Kind, amount: number, service: string, client: string): number {
    if (this.#over(entry)) {
      entry.since = this.steady();
      entry.rates = noRates();
    }
    const rate = entry.rates[kind] += amount;
    this.#peak(kind, rate, service, client);
    return rate;
  }

  #over(entry: Client): boolean {
    return this.steady() - entry.since >= this.unitMs;
  }

  #peak(name: Kind | "count", value: number, service: string, client: string): void {
    if (value <= (this.#peaks.get(name)?.value ?? 0)) return;
    this.#peaks.set(name, { value, service, client, at: this.now() });
  }
}

/** Making room looks at no more than these. */
const MAX_LOOKED = 1000;

function keyOf(service: string, client: string): string {
  return `${service}\n${client}`;
}

function noRates(): Record<Kind, number> {
  return { connection: 0, message: 0, recipient: 0, newtls: 0, auth: 0 };
}
