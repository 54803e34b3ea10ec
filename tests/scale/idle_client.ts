/** An SMTP session that does nothing until it is asked to: cheap enough for ten thousand of them in one process. */

import { connect, type Socket } from "node:net";

/** Nobody is silent for so long unless something is wrong. */
const SILENCE_MS = 60_000;

interface Waiting {
  readonly code: string;
  resolve(): void;
  reject(error: Error): void;
}

export class IdleClient {
  #text = "";
  #waiting: Waiting | undefined;
  #error: Error | undefined;

  private constructor(readonly socket: Socket) {
    socket.setEncoding("latin1");
    socket.on("data", (text: string) => this.#take(text));
    socket.on("error", (error) => this.#fail(error));
    socket.on("close", () => this.#fail(new Error("connection closed")));
  }

  /** Connects from `localAddress`, hears the greeting, says EHLO. */
  static async open(port: number, localAddress: string): Promise<IdleClient> {
    const client = new IdleClient(connect({ port, host: "127.0.0.1", localAddress }));
    await client.#expect("220");
    await client.#say("EHLO idle.test", "250");
    return client;
  }

  /** How long the answer to NOOP takes, milliseconds. */
  async noop(): Promise<number> {
    const began = performance.now();
    await this.#say("NOOP", "250");
    return performance.now() - began;
  }

  close(): void {
    this.socket.destroy();
  }

  #say(line: string, code: string): Promise<void> {
    this.socket.write(`${line}\r\n`);
    return this.#expect(code);
  }

  async #expect(code: string): Promise<void> {
    if (this.#error) throw this.#error;
    let timer: ReturnType<typeof setTimeout> | undefined;
    await new Promise<void>((resolve, reject) => {
      timer = setTimeout(() => this.#fail(new Error("silence")), SILENCE_MS);
      this.#waiting = { code, resolve, reject };
      this.#take("");
    }).finally(() => clearTimeout(timer));
  }

  #take(text: string): void {
    this.#text += text;
    const end = this.#text.search(/^\d{3} .*\r\n/m);
    if (end < 0 || !this.#waiting) return;
    const line = this.#text.slice(end);
    const { code, resolve, reject } = this.#waiting;
    this.#text = "";
    this.#waiting = undefined;
    if (line.startsWith(code)) resolve();
    else reject(new Error(`expected ${code}: ${line}`));
  }

  #fail(error: Error): void {
    this.#error ??= error;
    this.#waiting?.reject(this.#error);
    this.#waiting = undefined;
  }
}
