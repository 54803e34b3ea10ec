/** The cases of the benchmark. */

export interface Case {
  readonly name: string;
  readonly sessions: number;
  /** Sessions stay open for many messages. */
  readonly keep: boolean;
  readonly messages: number;
  /** Content bytes. */
  readonly length: number;
  /** Relayed to another server, or delivered to a Maildir. */
  readonly relay: boolean;
}

const base = { sessions: 20, keep: true, messages: 3000, length: 4096, relay: true };

export const cases: readonly Case[] = [
  { ...base, name: "relay20c", keep: false },
  { ...base, name: "relay20" },
  { ...base, name: "relay100", sessions: 100, messages: 5000 },
  { ...base, name: "relay20x100k", messages: 1500, length: 100 * 1024 },
  { ...base, name: "relay20x1m", messages: 200, length: 1024 * 1024 },
  { ...base, name: "maildir20c", keep: false, relay: false },
  { ...base, name: "maildir20", relay: false },
];

/** A server under test: Postern or the yardstick. */
export interface Server {
  readonly name: string;
  readonly port: number;
  /** The Maildir of u1@box.test. */
  readonly maildir: string;
  stop(): Promise<void>;
}

/** What one round of one case gave. */
export interface Figures {
  readonly messagesPerSecond: number;
  /** Of the whole machine, load generator and sink included. */
  readonly cpuMsPerMessage: number;
  /** From end of data to 250, milliseconds. */
  readonly p50: number;
  readonly p99: number;
}
