/** A load generator: many SMTP sessions at once, each message with an id of its own, every answer noted. */

import { connect, type Socket } from "node:net";
import { pause } from "./waiting.ts";

export interface LoadOptions {
  readonly port: number;
  readonly sessions: number;
  readonly messages: number;
  /** Content bytes of a message, headers included. */
  readonly length: number;
  /** Keep sessions open for many messages, instead of one each. */
  readonly keep: boolean;
  readonly to: string;
  /** The sender; without it, one that hears of nothing. */
  readonly from?: string;
  /** Ids are `PREFIX-N`; recipients of the same run are told apart by it. */
  readonly prefix?: string;
  /** Go on when connections break or messages are refused for now; otherwise that is an error. */
  readonly tolerant?: boolean;
  /** Told of each accepted message: how many there are. */
  readonly accepted?: (count: number) => void;
  /** Messages are begun at this rate at most; without it, as fast as the sessions can. */
  readonly perSecond?: number;
  /** Ends the run early. */
  readonly signal?: AbortSignal;
}

export interface LoadResult {
  /** Ids of messages whose end of data was answered by 250. */
  readonly accepted: string[];
  /** From end of data to 250, milliseconds, of each accepted message. */
  readonly latencies: number[];
  /** Messages that were refused or cut off. */
  readonly refused: number;
}

/** The header field that carries a message's id. */
export const ID_HEADER = "X-Load-Id";
/** And the one that says how long its body is. */
const LENGTH_HEADER = "X-Load-Length";
const HEADER = new RegExp(`^${ID_HEADER}: (\\S+)\\n${LENGTH_HEADER}: (\\d+)$`, "m");
/** A tolerant session waits so long after trouble. */
const PAUSE_MS = 50;
/** A session that hears nothing for so long is broken. */
const SILENCE_MS = 30_000;

/** A message each of whose lines says whose it is. */
export function marked(id: string, length: number): string {
  return `${ID_HEADER}: ${id}\r\n${LENGTH_HEADER}: ${length}\r\n\r\n${bodyOf(id, length)}`;
}

/** False for the text of a marked message that is not what was sent, whatever its line ends have become. */
export function isUnharmed(text: string): boolean {
  const [plain, body] = text.replaceAll("\r\n", "\n").split(/\n\n(.*)/s);
  const [, id = "", length] = HEADER.exec(plain!) ?? [];
  if (!length) return true;
  return (body ?? "").trimEnd() === bodyOf(id, Number(length)).replaceAll("\r\n", "\n").trimEnd();
}

function bodyOf(id: string, length: number): string {
  const line = `${id.padEnd(78, " x")}\r\n`;
  return line.repeat(Math.ceil(length / line.length)).slice(0, length);
}

/** Sends `messages` messages over `sessions` sessions. */
export async function load(options: LoadOptions): Promise<LoadResult> {
  const result = { accepted: [] as string[], latencies: [] as number[], refused: 0 };
  const { perSecond, from = "load@src.test" } = options, began = performance.now();
  let next = 0;
  const session = async () => {
    let wire: Wire | undefined;
    while (next < options.messages && !options.signal?.aborted) {
      const early = perSecond ? began + next / perSecond * 1000 - performance.now() : 0;
      const id = `${options.prefix ?? "m"}-${next++}`;
      if (early > 0) await pause(early);
      try {
        wire ??= await Wire.open(options.port);
        const sent = await wire.message(from, options.to, marked(id, options.length));
        result.latencies.push(performance.now() - sent);
        result.accepted.push(id);
        options.accepted?.(result.accepted.length);
        if (options.keep) continue;
        await wire.quit();
      } catch (error) {
        if (!options.tolerant) throw error;
        result.refused++;
        await pause(PAUSE_MS);
      }
      wire?.close();
      wire = undefined;
    }
    wire?.close();
  };
  await Promise.all(Array.from({ length: options.sessions }, session));
  return result;
}

/** One session; replies are single lines but for EHLO's, and only their codes matter. */
class Wire {
  #socket: Socket;
  #text = "";
  #error: Error | undefined;
  #wake = () => {};

  private constructor(port: number) {
    this.#socket = connect({ port, host: "127.0.0.1", noDelay: true });
    this.#socket.setEncoding("latin1");
    this.#socket.setTimeout(SILENCE_MS, () => this.#fail(new Error("silence")));
    this.#socket.on("data", (text) => {
      this.#text += text;
      this.#wake();
    });
    this.#socket.on("error", (error) => this.#fail(error));
    this.#socket.on("close", () => this.#fail(new Error("connection closed")));
  }

  static async open(port: number): Promise<Wire> {
    const wire = new Wire(port);
    try {
      await wire.#expect("220");
      await wire.#say("EHLO load.test", "250");
      return wire;
    } catch (error) {
      wire.close();
      throw error;
    }
  }

  /** Sends a message; when its end of data was written. */
  async message(from: string, to: string, content: string): Promise<number> {
    await this.#say(`MAIL FROM:<${from}>`, "250");
    await this.#say(`RCPT TO:<${to}>`, "250");
    await this.#say("DATA", "354");
    const began = performance.now();
    await this.#say(`${content}\r\n.`, "250");
    return began;
  }

  async quit(): Promise<void> {
    await this.#say("QUIT", "221");
  }

  close(): void {
    this.#socket.destroy();
  }

  #fail(error: Error): void {
    this.#error ??= error;
    this.#wake();
  }

  async #say(line: string, code: string): Promise<void> {
    if (this.#error) throw this.#error;
    this.#socket.write(`${line}\r\n`);
    await this.#expect(code);
  }

  async #expect(code: string): Promise<void> {
    for (;;) {
      const end = this.#text.indexOf("\r\n");
      if (end < 0) {
        if (this.#error) throw this.#error;
        await new Promise<void>((resolve) => this.#wake = resolve);
        continue;
      }
      const line = this.#text.slice(0, end);
      this.#text = this.#text.slice(end + 2);
      if (line[3] === "-") continue;
      if (!line.startsWith(code)) throw new Error(`expected ${code}: ${line}`);
      return;
    }
  }
}

/** The value below which `share` of the numbers lie. */
export function percentile(numbers: readonly number[], share: number): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
}
