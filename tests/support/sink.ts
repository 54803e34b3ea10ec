/** An SMTP or LMTP server that keeps what it is sent. */

import { createServer, type Server, type Socket } from "node:net";
import type { AddressInfo } from "node:net";

export interface Received {
  readonly from: string;
  readonly to: string[];
  readonly content: string;
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
      serve(socket, this);
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

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

const END = "\r\n.\r\n";

/** One session: commands by line, content to its end; latin1 keeps every byte. */
function serve(socket: Socket, sink: Sink): void {
  let text = "", from = "", to: string[] = [], inData = false;
  const take = (line: string): string => {
    const verb = line.slice(0, 4).toUpperCase();
    const own = sink.options.answer?.(line);
    if (own !== undefined) return own;
    if (verb === "EHLO" || verb === "LHLO") return "250-sink\r\n250-PIPELINING\r\n250 8BITMIME";
    if (verb === "MAIL") [from, to] = [path(line), []];
    if (verb === "RCPT") to.push(path(line));
    if (verb === "DATA") {
      inData = true;
      return "354 go on";
    }
    if (verb === "QUIT") return "221 bye";
    return "250 ok";
  };
  const finish = (content: string): string => {
    inData = false;
    sink.count++;
    if (!sink.options.forget) sink.received.push({ from, to, content });
    const own = sink.options.answer?.(".");
    return own ?? Array(sink.options.lmtp ? to.length : 1).fill("250 kept").join("\r\n");
  };
  socket.setEncoding("latin1");
  socket.write("220 sink\r\n");
  socket.on("data", (more) => {
    text += more;
    const replies: string[] = [];
    for (;;) {
      if (inData) {
        const end = text.startsWith(END.slice(2)) ? -2 : text.indexOf(END);
        if (end === -1) break;
        const content = text.slice(0, Math.max(0, end) + (end < 0 ? 0 : 2));
        text = text.slice(end + END.length);
        replies.push(finish(content.replace(/^\./gm, "")));
        continue;
      }
      const end = text.indexOf("\n");
      if (end < 0) break;
      const line = text.slice(0, end).trimEnd();
      text = text.slice(end + 1);
      if (!sink.options.forget) sink.heard.push(line);
      replies.push(take(line));
    }
    if (replies.length) socket.write(replies.join("\r\n") + "\r\n");
    if (replies.at(-1)?.startsWith("221")) socket.end();
  });
}

function path(line: string): string {
  return /<(.*?)>/.exec(line)?.[1] ?? "";
}
