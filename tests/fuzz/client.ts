/** One fuzzed session: writes a script in random pieces, checks every reply, and ends with a clean transaction. */

import { connect, type Socket } from "node:net";
import { Oracle } from "./oracle.ts";
import type { Random } from "../support/random.ts";
import { cutOff, script, transaction } from "./script.ts";

const SILENCE_MS = 30_000;
/** A script is cut into at most so many pieces. */
const MAX_PIECES = 20;

/** What a session showed. */
export interface Played {
  readonly oracle: Oracle;
  /** Everything that was written, to print when something is wrong. */
  readonly written: string;
  /** The client hung up in the middle: what had no reply may have been taken all the same. */
  readonly hungUp: boolean;
  /** The id of the clean transaction at the end; undefined when the server had ended the session. */
  readonly clean: string | undefined;
}

class Line {
  readonly oracle = new Oracle();
  written = "";
  closed = false;
  #socket: Socket;
  #text = "";
  #error: Error | undefined;
  #wake = () => {};

  constructor(port: number) {
    this.#socket = connect({ port, host: "127.0.0.1", noDelay: true });
    this.#socket.setEncoding("latin1");
    this.#socket.on("data", (text) => this.#take(`${text}`));
    // A server that has said goodbye may cut the connection while we still write.
    this.#socket.on("error", () => {});
    this.#socket.on("close", () => {
      this.closed = true;
      this.#wake();
    });
  }

  #greeted = false;

  #take(text: string): void {
    this.#text += text;
    for (;;) {
      const match = /^(?:\d{3}-.*\r\n)*(\d{3}) ?.*\r\n/.exec(this.#text);
      if (!match) break;
      this.#text = this.#text.slice(match[0].length);
      const reply = { code: Number(match[1]), text: match[0].trim() };
      try {
        if (/Server local error|internal/.test(reply.text)) throw new Error(reply.text);
        if (this.#greeted) this.oracle.replied(reply);
        else this.#greeted = true;
      } catch (error) {
        this.#error ??= error as Error;
      }
    }
    this.#wake();
  }

  write(bytes: string): void {
    this.oracle.sent(bytes);
    this.written += bytes;
    if (!this.closed) this.#socket.write(bytes, "latin1");
  }

  /** Waits until something holds or the session is over; throws what the oracle found. */
  async until(what: () => boolean): Promise<void> {
    const end = Date.now() + SILENCE_MS;
    while (!this.#error && !this.closed && !what()) {
      if (Date.now() > end) throw new Error(`silence: ${this.oracle.due} is due`);
      let timer;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        timer = setTimeout(resolve, SILENCE_MS);
      });
      clearTimeout(timer);
    }
    if (this.#error) throw this.#error;
    if (this.closed && !this.oracle.over) throw new Error("the server hung up without a word");
  }

  get greeted(): boolean {
    return this.#greeted;
  }

  close(): void {
    this.#socket.destroy();
  }
}

/** Plays one session; throws, with what it wrote, when the server broke a rule. */
export async function play(port: number, random: Random, id: string): Promise<Played> {
  const line = new Line(port), { oracle } = line;
  try {
    await line.until(() => line.greeted);
    const hungUp = random.chance(0.1);
    await speak(line, random, hungUp ? cutOff(random, id) : script(random, id));
    if (hungUp) return { oracle, written: line.written, hungUp, clean: undefined };
    await finish(line);
    const clean = oracle.over || line.closed
      ? undefined
      : await behave(line, random, `${id}.clean`);
    return { oracle, written: line.written, hungUp, clean };
  } catch (error) {
    throw new Error(`${(error as Error).message}\nafter ${JSON.stringify(line.written)}`);
  } finally {
    line.close();
  }
}

async function speak(line: Line, random: Random, text: string): Promise<void> {
  const cuts = Array.from({ length: random.below(MAX_PIECES) }, () => random.below(text.length + 1))
    .toSorted((a, b) => a - b);
  let from = 0;
  for (const to of [...cuts, text.length]) {
    line.write(text.slice(from, to));
    from = to;
    if (random.chance(0.3)) await new Promise((resolve) => setTimeout(resolve, random.below(3)));
  }
}

/** Brings what the script left open to its end: a line, a chunk, content. */
async function finish(line: Line): Promise<void> {
  const { oracle } = line;
  while (!oracle.over && !line.closed && oracle.due !== "nothing") {
    if (oracle.due === "line") line.write("\r\n");
    else if (oracle.due === "chunk") line.write("z".repeat(Math.min(oracle.missing, 1e6)));
    else if (oracle.due === "content") line.write("\r\n.\r\n");
    await line.until(() => oracle.over || oracle.due !== "reply");
  }
}

/** A transaction after RSET, to one recipient: nothing of what came before may be in it. */
async function behave(line: Line, random: Random, id: string): Promise<string | undefined> {
  const { oracle } = line, before = oracle.promised.length;
  line.write(`${random.chance(0.5) ? "RSET" : "EHLO client.test"}\r\n`);
  await line.until(() => oracle.over || oracle.due === "nothing");
  if (oracle.over) return undefined;
  line.write(transaction(random, id, ["clean@sink.test"]));
  await line.until(() => oracle.over || oracle.due === "nothing");
  if (oracle.promised.length !== before + 1) throw new Error("the clean transaction failed");
  return id;
}
