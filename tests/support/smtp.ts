/** A small SMTP client: says what it is told to, and shows what it hears. */

import { Buffer } from "node:buffer";
import { connect, type Socket } from "node:net";
import { connect as tlsConnect } from "node:tls";

/** A reply's code and its text, lines joined by newlines. */
export interface Reply {
  readonly code: number;
  readonly text: string;
}

const WAIT_MS = 30_000;
const HANDSHAKE_MS = 5_000;

export class SmtpClient implements Disposable {
  #socket: Socket;
  #text = "";
  #error: Error | undefined;
  #wake = () => {};

  /** Connects; the greeting is the first reply. In latin1 each char that is written or read is a byte. */
  constructor(port: number, readonly encoding: "utf8" | "latin1" = "utf8") {
    this.#socket = this.#listen(connect({ port, host: "127.0.0.1", noDelay: true }));
  }

  #listen(socket: Socket): Socket {
    socket.setEncoding(this.encoding);
    socket.on("data", (text) => {
      this.#text += text;
      this.#wake();
    });
    socket.on("error", (error) => this.#fail(error));
    socket.on("close", () => this.#fail(new Error("connection closed")));
    return socket;
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
      const reply = this.heard();
      if (reply) return reply;
      if (this.#error) throw this.#error;
      if (Date.now() > end) throw new Error("no reply");
      await this.more(end - Date.now());
    }
  }

  /** The next reply, if it has come. */
  heard(): Reply | undefined {
    const match = /^(?:\d{3}-.*\r\n)*(\d{3})(?: .*)?\r\n/.exec(this.#text);
    if (!match) return undefined;
    this.#text = this.#text.slice(match[0].length);
    return { code: Number(match[1]), text: match[0].trim().replaceAll("\r\n", "\n") };
  }

  /** The connection is over; what was heard before may still be read. */
  get closed(): boolean {
    return this.#error !== undefined;
  }

  /** Goes on in TLS, whatever the server's certificate; throws when the handshake fails. */
  async startTls(): Promise<void> {
    const plain = this.#socket;
    // What comes now is no text.
    plain.removeAllListeners("data");
    let late: ReturnType<typeof setTimeout> | undefined;
    await new Promise<void>((resolve, reject) => {
      const secure = tlsConnect({ socket: plain, rejectUnauthorized: false }, resolve);
      secure.on("error", reject);
      plain.once("close", () => reject(new Error("connection closed")));
      late = setTimeout(() => reject(new Error("no TLS handshake")), HANDSHAKE_MS);
      // Listened to from the start: the first reply may come with the end of the handshake.
      this.#socket = this.#listen(secure as unknown as Socket);
    }).finally(() => clearTimeout(late));
  }

  /** Waits until anything happens. */
  async more(milliseconds: number): Promise<void> {
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
    // As bytes: a TLS socket does not heed an encoding.
    if (!this.#error) this.#socket.write(Buffer.from(text, this.encoding));
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
