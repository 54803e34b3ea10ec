/** A small SMTP client: says what it is told to, and shows what it hears. */

import { connect, type Socket } from "node:net";

/** A reply's code and its text, lines joined by newlines. */
export interface Reply {
  readonly code: number;
  readonly text: string;
}

const WAIT_MS = 20_000;

export class SmtpClient implements Disposable {
  #socket: Socket;
  #text = "";
  #error: Error | undefined;
  #wake = () => {};

  /** Connects; the greeting is the first reply. */
  constructor(port: number) {
    this.#socket = connect({ port, host: "127.0.0.1", noDelay: true });
    this.#socket.setEncoding("utf8");
    this.#socket.on("data", (text) => {
      this.#text += text;
      this.#wake();
    });
    this.#socket.on("error", (error) => this.#fail(error));
    this.#socket.on("close", () => this.#fail(new Error("connection closed")));
  }

  #fail(error: Error): void {
    this.#error ??= error;
    this.#wake();
  }

  /** Connects and reads the greeting. */
  static async connect(port: number): Promise<SmtpClient> {
    const client = new SmtpClient(port);
    await client.expect(220);
    return client;
  }

  /** The next reply; throws when the connection ends or nothing comes. */
  async reply(): Promise<Reply> {
    const end = Date.now() + WAIT_MS;
    for (;;) {
      const match = /^(?:\d{3}-.*\r\n)*(\d{3})(?: .*)?\r\n/.exec(this.#text);
      if (match) {
        this.#text = this.#text.slice(match[0].length);
        return { code: Number(match[1]), text: match[0].trim().replaceAll("\r\n", "\n") };
      }
      if (this.#error) throw this.#error;
      if (Date.now() > end) throw new Error("no reply");
      await this.#more(end - Date.now());
    }
  }

  async #more(milliseconds: number): Promise<void> {
    let timer;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      timer = setTimeout(resolve, milliseconds);
    });
    clearTimeout(timer);
  }

  /** The next reply, which must have this code. */
  async expect(code: number): Promise<string> {
    const reply = await this.reply();
    if (reply.code !== code) throw new Error(`expected ${code}: ${reply.text}`);
    return reply.text;
  }

  write(text: string): void {
    if (!this.#error) this.#socket.write(text);
  }

  /** Says a line and reads the reply. */
  command(line: string): Promise<Reply> {
    this.write(`${line}\r\n`);
    return this.reply();
  }

  /** Submits a message after EHLO; the queue id when it is accepted, an error with the reply when not. */
  async message(from: string, to: readonly string[], content: string): Promise<string> {
    for (const line of [`MAIL FROM:<${from}>`, ...to.map((each) => `RCPT TO:<${each}>`)]) {
      this.write(`${line}\r\n`);
      await this.expect(250);
    }
    this.write("DATA\r\n");
    await this.expect(354);
    this.write(`${content.replace(/\r?\n/g, "\r\n").replace(/^\./gm, "..")}\r\n.\r\n`);
    const text = await this.expect(250);
    return /queued as (\w+)/.exec(text)?.[1] ?? text;
  }

  async quit(): Promise<void> {
    await this.command("QUIT");
    this[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }
}
