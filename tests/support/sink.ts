/** An SMTP or LMTP server that keeps what it is sent, or hands it on as it comes. */

import { Buffer } from "node:buffer";
import { createServer, type Server, type Socket } from "node:net";
import type { AddressInfo } from "node:net";

export interface Received {
  readonly from: string;
  readonly to: string[];
  readonly content: string;
}

/** Gets the content of one message piece by piece, without the dots of its transport. */
export interface Taker {
  /** The bytes are good only until it returns. */
  push(bytes: Uint8Array): void;
  end(): void;
}

export interface SinkOptions {
  /** Answer LHLO, and once for each recipient after the data. */
  readonly lmtp?: boolean;
  /** A unix socket instead of a port of 127.0.0.1. */
  readonly path?: string;
  readonly port?: number;
  /** What to answer to a command; undefined for the usual. */
  readonly answer?: (line: string) => string | undefined;
  /** Only count: do not keep content. */
  readonly forget?: boolean;
  /** What replies wait for. */
  readonly wait?: (replies: readonly string[]) => Promise<unknown> | undefined;
  /** Where the content of the next message goes, in place of `received`. */
  readonly take?: () => Taker;
}

export class Sink implements AsyncDisposable {
  readonly received: Received[] = [];
  count = 0;
  /** Commands that were heard, in their order. */
  readonly heard: string[] = [];
  #server: Server;
  #sockets = new Set<Socket>();

  private constructor(readonly options: SinkOptions) {
    this.#server = createServer({ noDelay: true }, (socket) => {
      this.#sockets.add(socket);
      socket.on("close", () => this.#sockets.delete(socket));
      socket.on("error", () => {});
      new Session(socket, this);
    });
  }

  static async start(options: SinkOptions = {}): Promise<Sink> {
    const sink = new Sink(options);
    await new Promise<void>((resolve, reject) => {
      sink.#server.on("error", reject);
      if (options.path) sink.#server.listen(options.path, resolve);
      else sink.#server.listen(options.port ?? 0, "127.0.0.1", resolve);
    });
    return sink;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** What takes the content of a message. */
  taker(from: string, to: string[]): Taker {
    if (this.options.take) return this.options.take();
    if (this.options.forget) return { push() {}, end() {} };
    let content = "";
    return {
      push: (bytes) => content += Buffer.from(bytes).toString("latin1"),
      end: () => this.received.push({ from, to, content }),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

const LF = 10, CR = 13, DOT = 46;

/** One session: commands by line, content as it comes; latin1 keeps every byte. */
class Session {
  #held = Buffer.alloc(0);
  #from = "";
  #to: string[] = [];
  #taker: Taker | undefined;
  #atLineStart = true;

  constructor(socket: Socket, readonly sink: Sink) {
    socket.write("220 sink\r\n");
    socket.on("data", (chunk: Uint8Array) => {
      this.#held = Buffer.concat([this.#held, chunk]);
      const replies: string[] = [];
      while (this.#taker ? this.#content(this.#taker, replies) : this.#command(replies));
      const say = () => {
        if (replies.length) socket.write(replies.join("\r\n") + "\r\n");
        if (replies.at(-1)?.startsWith("221")) socket.end();
      };
      const waited = sink.options.wait?.(replies);
      if (waited) waited.then(say);
      else say();
    });
  }

  #command(replies: string[]): boolean {
    const end = this.#held.indexOf(LF);
    if (end < 0) return false;
    const line = this.#held.toString("latin1", 0, end).trimEnd();
    this.#held = this.#held.subarray(end + 1);
    if (!this.sink.options.forget) this.sink.heard.push(line);
    replies.push(this.sink.options.answer?.(line) ?? this.#answer(line));
    return true;
  }

  #answer(line: string): string {
    switch (line.slice(0, 4).toUpperCase()) {
      case "EHLO":
      case "LHLO":
        return "250-sink\r\n250-PIPELINING\r\n250 8BITMIME";
      case "MAIL":
        [this.#from, this.#to] = [path(line), []];
        return "250 ok";
      case "RCPT":
        this.#to.push(path(line));
        return "250 ok";
      case "DATA":
        this.#taker = this.sink.taker(this.#from, this.#to);
        this.#atLineStart = true;
        return "354 go on";
      case "QUIT":
        return "221 bye";
      default:
        return "250 ok";
    }
  }

  /** Takes content up to its end, to a dot, or to a place that cannot be judged yet; true when there may be more to do. */
  #content(taker: Taker, replies: string[]): boolean {
    if (this.#atLineStart && this.#held[0] === DOT) {
      if (this.#held.length < 3) return false;
      const over = this.#held[1] === CR && this.#held[2] === LF;
      this.#held = this.#held.subarray(over ? 3 : 1);
      this.#atLineStart = false;
      if (over) replies.push(this.#end(taker));
      return true;
    }
    const dot = this.#held.indexOf("\r\n.");
    // The last two bytes may belong to an end that has not come whole.
    const length = dot < 0 ? this.#held.length - 2 : dot + 2;
    if (length > 0) {
      taker.push(this.#held.subarray(0, length));
      this.#held = this.#held.subarray(length);
      this.#atLineStart = dot >= 0;
    }
    return dot >= 0;
  }

  #end(taker: Taker): string {
    this.#taker = undefined;
    taker.end();
    this.sink.count++;
    const { answer, lmtp } = this.sink.options;
    return answer?.(".") ?? Array(lmtp ? this.#to.length : 1).fill("250 kept").join("\r\n");
  }
}

function path(line: string): string {
  return /<(.*?)>/.exec(line)?.[1] ?? "";
}
