/** One fuzzed session: writes a script in random pieces, checks every reply, and ends with clean transactions. */

import type { Random } from "../support/random.ts";
import { SmtpClient } from "../support/smtp.ts";
import { pause } from "../support/waiting.ts";
import { Oracle } from "./oracle.ts";
import { breakTls, cutOff, intoTls, script, transaction } from "./script.ts";

const SILENCE_MS = 60_000;
/**
 * Deno's node:tls, as a client over a connection that was plain before, stops to hear or to be heard in one of a hundred
 * sessions. `tests/peers/tls_test.ts` shows that smtpd does not, with a client of another make. After this the session
 * counts as hung up, and only what it left is judged.
 */
const TLS_SILENCE_MS = 5_000;
/** A script is cut into at most so many pieces. */
const MAX_PIECES = 20;
/** A handshake that is broken off is left to the server for less than this. */
const MAX_BROKEN_MS = 30;

/** What a session may do beside what every one does. */
export interface Plan {
  /** The server offers STARTTLS, and a part of the sessions asks for it. */
  readonly tls: boolean;
  /** Recipients at a server that does what it wants; a part of the sessions writes to some of them. */
  readonly odd: readonly string[];
}

/** What a session showed. */
export interface Played {
  readonly oracle: Oracle;
  /** Everything that was written, to print when something is wrong. */
  readonly written: string;
  /** The client hung up in the middle: what had no reply may have been taken all the same. */
  readonly hungUp: boolean;
  /** The clean transaction at the end was taken; not so when the session had ended before. */
  readonly clean: boolean;
  /** What became of TLS. */
  readonly tls: "none" | "secured" | "broken" | "silent";
}

/** The connection, with an oracle that hears every reply before more is written. */
class Line {
  readonly oracle = new Oracle();
  written = "";
  tls: Played["tls"] = "none";
  greeted = false;
  #client: SmtpClient;

  constructor(port: number) {
    this.#client = new SmtpClient(port, "latin1");
  }

  /** Tells the oracle what has come; throws what it found. */
  #hear(): void {
    for (let reply; (reply = this.#client.heard());) {
      if (/Server local error|internal/.test(reply.text)) throw new Error(reply.text);
      if (this.greeted) this.oracle.replied(reply);
      this.greeted = true;
    }
  }

  write(bytes: string): void {
    this.#hear();
    this.oracle.sent(bytes);
    this.written += bytes;
    this.#client.write(bytes);
  }

  /** Waits until something holds or the session is over; throws what the oracle found. */
  async until(what: () => boolean): Promise<void> {
    const patience = this.tls === "secured" ? TLS_SILENCE_MS : SILENCE_MS;
    const end = Date.now() + patience;
    for (;;) {
      this.#hear();
      if (this.closed && !this.oracle.over) return this.#hungUp();
      if (this.closed || what()) return;
      if (Date.now() >= end) return this.#silence();
      await this.#client.more(end - Date.now());
    }
  }

  /** Only what stands in the place of a handshake, and is none, needs no word. */
  #hungUp(): void {
    if (this.oracle.due !== "handshake") throw new Error("the server hung up without a word");
    this.tls = "broken";
    this.oracle.over = true;
  }

  #silence(): void {
    if (this.tls !== "secured") throw new Error(`silence: ${this.oracle.due} is due`);
    this.tls = "silent";
    this.oracle.over = true;
  }

  /**
   * Hears what becomes of a STARTTLS that was written, before more is. The server may hang up when that is no handshake, and Deno
   * drops what it has received and not read when a write fails: the 220, and the replies before it.
   */
  async hearOfTls(): Promise<void> {
    await this.until(() => this.done || this.oracle.due !== "reply" || !this.oracle.asksForTls);
  }

  /** Nothing more is to be expected. */
  get done(): boolean {
    return this.closed || this.oracle.over;
  }

  get closed(): boolean {
    return this.#client.closed;
  }

  /** The handshake, when the server waits for it; it fails when something came before it. */
  async handshake(random: Random): Promise<void> {
    if (this.oracle.due !== "handshake") return;
    this.written += "<handshake>";
    if (random.chance(0.2)) return await this.#breakOff(random);
    try {
      await this.#client.startTls();
      this.oracle.secured();
      this.tls = "secured";
    } catch {
      this.oracle.over = true;
      this.tls = "broken";
    }
  }

  async #breakOff(random: Random): Promise<void> {
    this.write(breakTls(random));
    await pause(random.below(MAX_BROKEN_MS));
    // An answer in the clear would be one too many.
    this.#hear();
    this.oracle.over = true;
    this.tls = "broken";
  }

  close(): void {
    this.#client[Symbol.dispose]();
  }
}

/** Plays one session; throws, with what it wrote, when the server broke a rule. */
export async function play(port: number, random: Random, id: string, plan: Plan): Promise<Played> {
  const line = new Line(port), { oracle } = line;
  try {
    await line.until(() => line.greeted);
    if (plan.tls && random.chance(0.25)) await secure(line, random, id);
    const hungUp = !line.done && random.chance(0.1);
    let clean = false;
    if (!line.done) await speak(line, random, hungUp ? cutOff(random, id) : script(random, id));
    if (!hungUp) {
      await finish(line, random);
      clean = await behave(line, random, `${id}.clean`, ["clean@sink.test"]);
      const odd = plan.odd.filter(() => random.chance(0.3));
      if (odd.length) await behave(line, random, `${id}.odd`, odd);
    }
    const { written, tls } = line;
    return { oracle, written, hungUp: hungUp || tls === "silent", clean, tls };
  } catch (error) {
    throw new Error(`${(error as Error).message}\nafter ${JSON.stringify(line.written)}`);
  } finally {
    line.close();
  }
}

/** Asks for TLS, perhaps with a transaction open before and with more behind it that nobody may believe. */
async function secure(line: Line, random: Random, id: string): Promise<void> {
  line.write(intoTls(random, `${id}.plain`));
  await finish(line, random);
}

async function speak(line: Line, random: Random, text: string): Promise<void> {
  const cuts = Array.from({ length: random.below(MAX_PIECES) }, () => random.below(text.length + 1))
    .toSorted((a, b) => a - b);
  let from = 0;
  for (const to of [...cuts, text.length]) {
    line.write(text.slice(from, to));
    from = to;
    if (random.chance(0.3)) await pause(random.below(3));
    await line.hearOfTls();
    await line.handshake(random);
  }
}

/** Brings what was left open to its end: a line, a chunk, content, a handshake. */
async function finish(line: Line, random: Random): Promise<void> {
  const { oracle } = line;
  // What came before the server hung up counts, too.
  await line.until(() => true);
  while (!line.done && oracle.due !== "nothing") {
    if (oracle.due === "line") line.write("\r\n");
    else if (oracle.due === "chunk") line.write("z".repeat(Math.min(oracle.missing, 1e6)));
    else if (oracle.due === "content") line.write("\r\n.\r\n");
    else if (oracle.due === "handshake") await line.handshake(random);
    await line.until(() => oracle.over || oracle.due !== "reply");
  }
}

/** A transaction after RSET: nothing of what came before may be in it. False when the session is over. */
async function behave(
  line: Line,
  random: Random,
  id: string,
  to: readonly string[],
): Promise<boolean> {
  const { oracle } = line, before = oracle.promised.length;
  if (line.done) return false;
  line.write(`${random.chance(0.5) ? "RSET" : "EHLO client.test"}\r\n`);
  await line.until(() => oracle.over || oracle.due === "nothing");
  if (oracle.over) return false;
  line.write(transaction(random, id, to));
  await line.until(() => oracle.over || oracle.due === "nothing");
  if (line.tls === "silent") return false;
  if (oracle.promised.length !== before + 1) throw new Error("the clean transaction failed");
  return true;
}
