/** One client's session (RFC 5321 3): lines in, one reply to each, in order. Only this file writes to the client. */

import { Share } from "../../shared/budget.ts";
import { counter } from "../../shared/counters.ts";
import { reason } from "../../shared/errors.ts";
import * as lines from "../../shared/log/lines.ts";
import { panic } from "../../shared/log/log.ts";
import { type Reply, reply } from "../../shared/smtp/reply.ts";
import { GO_AHEAD } from "../../shared/smtp/standard_replies.ts";
import type { EarlyList } from "./check.ts";
import { checkClient } from "./restriction_lists.ts";
import { type Command, find, trimSpaces } from "./commands.ts";
import { receiveData } from "./content.ts";
import { connectionAllowed, eventAllowed } from "./limits.ts";
import { clientNetwork } from "./networks.ts";
import { READY_FOR_TLS } from "./replies.ts";
import type { Maybe, Services } from "./services.ts";
import type { Settings } from "./settings.ts";
import { Tally } from "./tally.ts";
import { type Stage, Transaction } from "./transaction.ts";
import { type Transport, Wire } from "./wire.ts";

const sessions = counter("smtpd_sessions", "sessions that clients began");
const refusals = counter("smtpd_rejects", "commands refused by a restriction or limit");
const broken = counter("smtpd_session_bugs", "sessions that ended because of a fault of our own");

/** A TLS session that took the place of the plain connection. */
export interface TlsSession {
  readonly transport: Transport;
  readonly protocol: string;
  readonly cipher: string;
  readonly bits: number;
}

/** The client as the session is given it. */
export interface Peer {
  readonly address: string;
  readonly port: number;
  readonly transport: Transport;
  /** Makes the plain connection a TLS session whose bytes go to the same wire; rejects when that fails. */
  startTls?(wire: Wire): Promise<TlsSession>;
}

/** What a command that is refused named, beside what the session knows. */
interface About {
  readonly sender?: string | undefined;
  readonly recipient?: string | undefined;
  readonly helo?: string | undefined;
}

export class Session {
  readonly wire: Wire;
  clientName = "unknown";
  /** What HELO or EHLO said; undefined before. */
  helo: string | undefined;
  esmtp = false;
  tls: TlsSession | undefined;
  transaction = new Transaction();
  /** What the recipients of the transaction take of memory. */
  readonly recipientShare: Share;
  illegalPipelining = false;
  /** What `defer_if_permit` has asked for before RCPT, by list: who is permitted there hears it. */
  readonly putOff: Partial<Record<EarlyList, Reply | undefined>> = {};
  /** The last command, as log lines name it. */
  where = "CONNECT";
  /** Content bytes of the message that is being received, for the log; -1 outside. */
  contentBytes = -1;
  readonly tally: Tally;
  sawBareLf = false;
  /** Ends anvil's counting of this connection, if it counts it. */
  uncount: (() => void) | undefined;
  /** After this reply the session ends. */
  closing = false;
  #stage: Stage = "connected";
  #denied = false;
  #stopping = false;

  constructor(
    readonly peer: Peer,
    readonly service: string,
    readonly settings: Settings,
    readonly services: Services,
  ) {
    this.tally = new Tally(settings);
    this.recipientShare = new Share(services.recipients);
    this.wire = new Wire(peer.transport, {
      lineLimit: settings.lineLengthLimit,
      timeoutSeconds: settings.timeout,
      perRequest: settings.perRequestDeadline,
      minDataRate: settings.minDataRate,
      steady: services.clock.steady,
    });
  }

  /** From greeting to disconnect; never throws. */
  async run(): Promise<void> {
    sessions.add();
    try {
      if (await this.#greet()) await this.#serve();
    } catch (error) {
      // One client's bad luck, or its attack: the others must not lose their sessions.
      broken.add();
      panic(`session: ${error instanceof Error ? error.stack?.replaceAll("\n", " ") : error}`);
      this.wire.write(this.#host(421, "4.3.0", "Server local error").wire);
    }
    this.resetTransaction("the session ended");
    this.uncount?.();
    lines.disconnected(this.client, this.tally.counts(), this.sawBareLf ? "bare_lf" : "");
    this.wire.end(this.where === "QUIT");
  }

  async #serve(): Promise<void> {
    for (;;) {
      if (this.#stopping) return this.#leave();
      if (this.tally.tooManyErrors) return this.#tooManyErrors();
      const line = this.wire.next() ?? await this.wire.line();
      if (line === undefined) return this.#lost();

      const command = find(line, this);
      let answer = this.#answer(command, line);
      if (answer instanceof Promise) answer = await answer;
      if (answer === GO_AHEAD) {
        await this.#send(answer);
        answer = await receiveData(this);
      }
      this.tally.answered(command, answer?.code);
      if (answer === undefined) return this.#lost();

      const sent = this.#send(answer);
      if (sent) await sent;
      if (answer === READY_FOR_TLS && !await this.#startTls()) return;
      if (answer.closes || this.closing) return;
    }
  }

  /** The one reply to a line; undefined when the client went away in the middle. */
  #answer(command: Command, line: string): Maybe<Reply | undefined> {
    const { wire, settings } = this;
    this.where = command.verb;
    if (wire.tooLong) return this.#host(500, "5.5.2", "Error: command too long");
    if (wire.badUtf8 && settings.smtputf8Enable) {
      return reply(500, "5.5.2", "Error: bad UTF-8 syntax");
    }
    if (wire.bareLf) {
      const refused = this.#bareLf();
      if (refused) return refused;
    }
    if (wire.held && (command.last || !this.esmtp) && command.verb !== "QUIT") {
      const refused = this.#unauthorizedPipelining();
      if (refused) return refused;
    }
    if (this.#denied && !command.ends) {
      const { address } = this.peer;
      return reply(503, "5.7.0", `Error: access denied for ${this.clientName}[${address}]`);
    }
    const { tlsSecurityLevel } = settings;
    if (tlsSecurityLevel === "encrypt" && !this.tls && !command.beforeTls) {
      return reply(530, "5.7.0", "Must issue a STARTTLS command first");
    }
    if (command.junk) this.tally.junk();
    return command.run(this, argument(line));
  }

  get stage(): Stage {
    return this.#stage;
  }

  /** The only writer of the stage; the moves are listed at its type. */
  enter(stage: Stage): void {
    this.#stage = stage;
  }

  /**
   * Forgets the transaction, whole (reference 3.8): RSET, HELO, EHLO, STARTTLS, and the end of content in every outcome.
   * Content that cleanup does not have whole is never queued.
   */
  resetTransaction(why: string): void {
    this.transaction.intake?.cancel(why);
    this.transaction = new Transaction();
    this.recipientShare.release();
    this.putOff.sender = undefined;
    this.contentBytes = -1;
    this.enter(this.helo === undefined ? "connected" : "greeted");
  }

  /** HELO or EHLO said who the client is. */
  greeted(helo: string, esmtp: boolean): void {
    this.helo = helo;
    this.esmtp = esmtp;
    this.resetTransaction("a new greeting");
  }

  get client(): lines.Named {
    const { address, port } = this.peer;
    const logged = this.settings.clientPortLogging ? { port } : {};
    return { name: this.clientName, address, ...logged };
  }

  /** The network that anvil counts as one client. */
  get network(): string {
    const { ipv4PrefixLength, ipv6PrefixLength } = this.settings;
    return clientNetwork(this.peer.address, ipv4PrefixLength, ipv6PrefixLength);
  }

  /** Logs what a restriction or limit refused, and gives it back. */
  refuse(refused: Reply, about: About = {}): Reply {
    refusals.add();
    this.logRefusal("reject", refused, about);
    return refused;
  }

  logRefusal(action: string, refused: Reply, about: About): void {
    const { queueId, sender } = this.transaction;
    const { text } = this.settings.softBounce ? refused.soft() : refused;
    lines.rejected(action, this.where, text, {
      queueId,
      client: this.client,
      sender: about.sender ?? sender,
      recipient: about.recipient,
      protocol: this.esmtp ? "ESMTP" : "SMTP",
      helo: about.helo ?? this.helo,
    });
  }

  /** Greets; false when the session ends with that. */
  async #greet(): Promise<boolean> {
    const { settings, services, peer } = this;
    const name = services.peerName(peer.address);
    this.clientName = name instanceof Promise ? await name : name;
    lines.connected(this.client);
    if (!settings.uncounted(peer.address) && !await connectionAllowed(this)) {
      const refused = this.#host(421, "4.7.0", `Error: too many connections from ${peer.address}`);
      this.wire.write(refused.wire);
      return false;
    }
    if (settings.tlsWrappermode && !await this.#wrap()) return false;
    const refused = await checkClient(this);
    this.#denied = refused !== undefined;
    // Whoever speaks first does not listen (reference 3.1).
    const early = this.wire.held && !this.tls ? this.#unauthorizedPipelining() : undefined;
    const greeting = early ?? refused ?? settings.greeting;
    const sent = this.#send(greeting);
    if (sent) await sent;
    return !greeting.closes && !this.closing;
  }

  /** TLS from the first byte on; a client that may not have it hears why in the clear. */
  async #wrap(): Promise<boolean> {
    if (await eventAllowed(this, "newtls")) return await this.#handshake();
    const text = `Error: too many new TLS sessions from ${this.peer.address}`;
    this.wire.write(this.refuse(this.#host(421, "4.7.0", text)).wire);
    return false;
  }

  /** Writes one reply; waits before that only when the client made too many errors. */
  #send(answer: Reply): void | Promise<void> {
    const { settings, services, wire } = this;
    const { wire: text } = settings.softBounce ? answer.soft() : answer;
    const { pauseMs } = this.tally;
    if (!pauseMs) return wire.write(text);
    wire.flush();
    return services.clock.sleep(pauseMs).then(() => wire.write(text));
  }

  #bareLf(): Reply | undefined {
    const { settings, peer } = this;
    if (settings.forbidBareNewline === "no" || settings.bareLfExcluded(peer.address)) return;
    if (settings.forbidBareNewline === "note") this.sawBareLf = true;
    if (settings.forbidBareNewline !== "reject") return;
    const code = settings.forbidBareNewlineRejectCode;
    // What follows may be a chunk that nobody takes for one any more.
    this.closing = true;
    return this.refuse(this.#host(code, "5.5.2", "Error: bare <LF> received"));
  }

  #unauthorizedPipelining(): Reply | undefined {
    const text = this.wire.peek().replaceAll("\r", "\\r").replaceAll("\n", "\\n");
    if (!this.illegalPipelining || this.settings.forbidUnauthPipelining) {
      lines.ended("improper command pipelining", this.where, this.client, { ...this.#id, text });
    }
    this.illegalPipelining = true;
    if (!this.settings.forbidUnauthPipelining) return undefined;
    this.closing = true;
    return reply(554, "5.5.0", "Error: SMTP protocol synchronization");
  }

  async #startTls(): Promise<boolean> {
    const { wire } = this;
    wire.flush();
    // What came before the handshake came from who knows whom (RFC 3207 4.2).
    wire.discard();
    wire.disarm();
    if (!await this.#handshake()) {
      // The 220 said nothing of the handshake.
      this.tally.failed("starttls");
      return false;
    }
    // Everything that was said in the clear is forgotten.
    this.helo = this.putOff.helo = undefined;
    this.esmtp = false;
    this.illegalPipelining = false;
    this.resetTransaction("STARTTLS");
    return true;
  }

  /** False when there will be no TLS session. */
  async #handshake(): Promise<boolean> {
    const { peer, wire, settings } = this;
    try {
      const tls = this.tls = await peer.startTls!(wire);
      wire.transport = tls.transport;
      if (settings.tlsLoglevel > 0) logTls(this.client, tls);
      return true;
    } catch (error) {
      lines.tlsFailed(this.client, reason(error));
      lines.ended("lost connection", this.where, this.client, this.#id);
      return false;
    }
  }

  /** The system stops: content that has begun is still taken, and nothing after it. */
  stop(): void {
    this.#stopping = true;
    this.wire.stop();
  }

  /** There is no time left: what the client is sending is not waited for any more. */
  breakOff(): void {
    this.wire.breakOff();
  }

  #leave(): void {
    this.wire.write(this.#host(421, "4.3.2", "Service shutting down").wire);
  }

  #lost(): void {
    if (this.wire.gone === "stopped") return this.#leave();
    const bytes = this.contentBytes >= 0 ? { bytes: this.contentBytes } : {};
    if (this.wire.gone === "timeout") {
      lines.ended("timeout", this.where, this.client, { ...this.#id, ...bytes });
      this.wire.write(this.#host(421, "4.4.2", "Error: timeout exceeded").wire);
    } else if (this.where !== "END-OF-MESSAGE") {
      lines.ended("lost connection", this.where, this.client, { ...this.#id, ...bytes });
    }
  }

  #tooManyErrors(): void {
    lines.ended("too many errors", this.where, this.client, this.#id);
    this.wire.write(this.#host(421, "4.7.0", "Error: too many errors").wire);
  }

  get #id(): { queueId: string | undefined } {
    return { queueId: this.transaction.queueId };
  }

  /** A reply that names this host before its text. */
  #host(code: number, dsn: string, text: string): Reply {
    return reply(code, dsn, `${this.settings.myhostname} ${text}`);
  }
}

/** What follows the verb, without the white space around it. */
function argument(line: string): string {
  const trimmed = trimSpaces(line);
  const space = trimmed.indexOf(" ");
  return space < 0 ? "" : trimSpaces(trimmed.slice(space + 1));
}

function logTls(client: lines.Named, { protocol, cipher, bits }: TlsSession): void {
  const { name, address } = client;
  lines.tlsEstablished("Anonymous", `from ${name}[${address}]`, {
    protocol,
    cipher,
    usedBits: bits,
    algorithmBits: bits,
  });
}
