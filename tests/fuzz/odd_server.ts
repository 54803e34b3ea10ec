/**
 * An LMTP server that does what it wants: codes at random, too many and too few replies, early ones, torn ones, none, and
 * connections cut anywhere. It knows for whom it has said that it keeps a message.
 */

import { createServer, type Server, type Socket } from "node:net";
import type { AddressInfo } from "node:net";
import type { Random } from "../support/random.ts";

const CODES = [200, 220, 250, 251, 299, 354, 421, 450, 451, 452, 500, 503, 550, 552, 554, 599];
/** The first line of a reply whose others do not come. */
const UNENDED = "250-";
const JUNK = [
  "",
  "250",
  UNENDED,
  "250-more\r\n451 is different",
  "25 0 ok",
  "999 9.9.9 no",
  "000 0.0.0 no",
  "550 5.1.1 \0\x1b[2J\xff",
  `550 ${"x".repeat(5000)}`,
  "250 2.1.5 __proto__",
  "hello",
];
const END = "\r\n.\r\n";

export class OddServer implements AsyncDisposable {
  /** `SENDER RECIPIENT` for each that it said it keeps. */
  readonly kept = new Set<string>();
  /** Contents that it was sent whole. */
  contents = 0;
  /** How often each oddity was shown. */
  readonly odd: Record<string, number> = {};
  /** From now on it behaves. */
  tame = false;
  #server: Server;
  #sockets = new Set<Socket>();

  private constructor(readonly random: Random) {
    this.#server = createServer({ noDelay: true }, (socket) => {
      this.#sockets.add(socket);
      socket.on("close", () => this.#sockets.delete(socket));
      socket.on("error", () => {});
      new OddSession(socket, this);
    });
  }

  static async start(random: Random): Promise<OddServer> {
    const server = new OddServer(random);
    await new Promise<void>((resolve) => server.#server.listen(0, "127.0.0.1", resolve));
    return server;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** True now and then, and never when it is tame. */
  does(what: string, probability: number): boolean {
    if (this.tame || !this.random.chance(probability)) return false;
    this.odd[what] = (this.odd[what] ?? 0) + 1;
    return true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

class OddSession {
  #text = "";
  #sender = "";
  #recipients: string[] = [];
  #inData = false;
  /** It has said already what becomes of the content under way. */
  #early = false;

  constructor(readonly socket: Socket, readonly server: OddServer) {
    socket.setEncoding("latin1");
    this.#say(this.#reply("220 odd"));
    socket.on("data", (more) => {
      this.#text += more;
      while (!socket.destroyed && (this.#inData ? this.#content() : this.#command()));
    });
  }

  #command(): boolean {
    const end = this.#text.indexOf("\n");
    if (end < 0) return false;
    const line = this.#text.slice(0, end).trimEnd(), verb = line.slice(0, 4).toUpperCase();
    this.#text = this.#text.slice(end + 1);
    const reply = this.#reply(this.#usual(verb));
    const fine = /^2\d\d(?:[ -]|$)/.test(reply);
    if (verb === "MAIL" && fine) [this.#sender, this.#recipients] = [path(line), []];
    if (verb === "RCPT" && fine) this.#recipients.push(path(line));
    if (verb === "RSET") this.#recipients = [];
    this.#inData = verb === "DATA" && reply.startsWith("354 ");
    this.#say(reply);
    this.#early = this.#inData && this.server.does("early", 0.05);
    if (this.#early) this.#verdicts();
    if (verb === "QUIT") this.socket.end();
    return true;
  }

  #usual(verb: string): string {
    const { random } = this.server;
    if (verb === "LHLO") {
      const more = ["PIPELINING", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "SIZE 100000"]
        .filter(() => this.server.tame || random.chance(0.7));
      return ["odd", ...more].map((each, n) => `250${n < more.length ? "-" : " "}${each}`)
        .join("\r\n");
    }
    if (verb === "DATA") return this.#recipients.length ? "354 go on" : "503 5.5.1 for nobody";
    return verb === "QUIT" ? "221 2.0.0 bye" : "250 2.0.0 ok";
  }

  #content(): boolean {
    const empty = this.#text.startsWith(END.slice(2));
    const end = empty ? 0 : this.#text.indexOf(END);
    if (end < 0) return false;
    this.#text = this.#text.slice(end + (empty ? END.length - 2 : END.length));
    this.#inData = false;
    this.server.contents++;
    if (!this.#early) this.#verdicts();
    return true;
  }

  /** One reply for each recipient, or about so many. */
  #verdicts(): void {
    const { server } = this, replies: string[] = [];
    for (const recipient of this.#recipients) {
      if (server.does("too few", 0.05)) break;
      const reply = this.#reply("250 2.0.0 kept", 0.3);
      // Its word counts: a client may take it even where it did not wait for the content.
      if (/^2\d\d/.test(reply)) server.kept.add(`${this.#sender} ${recipient}`);
      replies.push(reply);
    }
    // Where some are missing, or one goes on in the next, a client would take these for them.
    const complete = replies.length === this.#recipients.length && !replies.includes(UNENDED);
    if (complete && server.does("too many", 0.1)) {
      replies.push("250 2.0.0 kept", "250 2.0.0 kept");
    }
    this.#recipients = [];
    this.#say(replies.join("\r\n"));
  }

  /** The usual reply, or another one. */
  #reply(usual: string, oddity = 0.03): string {
    const { server } = this, { random } = server;
    if (server.does("code", oddity)) return `${random.pick(CODES)} 4.0.0 at random`;
    return server.does("junk", oddity / 5) ? random.pick(JUNK) : usual;
  }

  #say(text: string): void {
    const { server, socket } = this, { random } = server;
    if (server.does("cut before", 0.005)) return void socket.destroy();
    if (server.does("silent", 0.002)) return;
    const cut = server.does("torn", 0.01) ? random.below(text.length + 1) : text.length;
    socket.write(text.slice(0, cut), "latin1");
    if (cut < text.length) return void socket.end();
    socket.write("\r\n");
    if (server.does("cut after", 0.005)) socket.end();
  }
}

function path(line: string): string {
  return /<(.*?)>/.exec(line)?.[1] ?? "";
}
