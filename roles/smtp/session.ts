/** A session with a server: greeting, handshake, what it offers, STARTTLS (RFC 5321 4.1.1.1, RFC 3207). */

import { tlsEstablished } from "../../shared/log/lines.ts";
import { info, warning } from "../../shared/log/log.ts";
import type { SmtpSettings } from "../../shared/parameters/smtp.ts";
import type { Reply } from "../../shared/smtp/reply_parser.ts";
import { connect, type Server } from "./connect.ts";
import { type Features, features, NO_FEATURES } from "./features.ts";
import type { Sweeper } from "./sweeper.ts";
import {
  LoopError,
  type Phase,
  refusalTrouble,
  SiteError,
  StreamError,
  streamTrouble,
  TlsError,
} from "./trouble.ts";
import type { Wire } from "./wire.ts";

export class Session {
  /** How many deliveries have used it, this one included. */
  uses = 0;
  /** A transaction was begun and not ended: the next one resets first. */
  needsReset = false;
  /** False once it must not be used again: out of step, or the server said goodbye. */
  usable = true;
  /** It said 421: what ends now, ends by its own will. */
  leaving = false;
  tls = false;
  /** Its server's place among those of the nexthop it was last used for: smaller ones are to be tried before. */
  place = 0;
  /** The nexthop that it is kept for. */
  nexthop: string | undefined;
  /** By the sweeper's clock: its start and its last use. */
  readonly startedAt: number;
  usedAt: number;

  constructor(readonly server: Server, readonly wire: Wire, readonly features: Features) {
    this.startedAt = this.usedAt = wire.sweeper.now;
  }
}

export type TlsWanted = "none" | "may" | "encrypt";

/** Connects, and leads the session up to where mail can be sent; throws SiteError or LoopError. */
export async function openSession(
  server: Server,
  settings: SmtpSettings,
  sweeper: Sweeper,
  tls: TlsWanted,
): Promise<Session> {
  const wire = await connect(server, settings.connectTimeout, sweeper);
  try {
    return await new Handshake(server, settings, wire, tls).run();
  } catch (error) {
    const inStep = error instanceof SiteError && !(error instanceof TlsError);
    if (inStep || error instanceof LoopError) wire.quit(undefined);
    else wire.destroy();
    if (error instanceof StreamError) throw new SiteError(streamTrouble(error, server));
    throw error;
  }
}

class Handshake {
  #greeting: Phase;
  #hello: Phase;
  #verb: "LHLO" | "EHLO" | "HELO";

  constructor(
    readonly server: Server,
    readonly settings: SmtpSettings,
    readonly wire: Wire,
    readonly tls: TlsWanted,
  ) {
    const seconds = settings.heloTimeout;
    this.#verb = settings.protocol === "lmtp" ? "LHLO" : settings.neverSendEhlo ? "HELO" : "EHLO";
    this.#greeting = { name: "receiving the initial server greeting", seconds };
    this.#hello = { name: `performing the ${this.#verb} handshake`, seconds };
  }

  async run(): Promise<Session> {
    const greeting = await this.wire.wait(this.#greeting);
    if (greeting.code !== 220) this.#refused(greeting, this.settings.skip5xxGreeting);
    if (this.#verb === "EHLO" && !this.settings.alwaysSendEhlo && !/ESMTP/i.test(greeting.text)) {
      this.#use("HELO");
    }
    const features = await this.#greet();
    if (this.tls === "none") return this.#session(features);
    if (features.starttls) return await this.#startTls(features);
    if (this.tls === "may") return this.#session(features);
    throw this.#noTls(`TLS is required, but was not offered by host ${this.server.label}`);
  }

  #session(features: Features): Session {
    return new Session(this.server, this.wire, features);
  }

  #use(verb: "HELO"): void {
    this.#verb = verb;
    this.#hello = { name: `performing the ${verb} handshake`, seconds: this.#hello.seconds };
  }

  /** EHLO, and HELO when the server does not take it, for whatever reason but that it is about to leave. */
  async #greet(): Promise<Features> {
    let reply = await this.#say();
    const refused = reply.class === 5 || (reply.class === 4 && reply.code !== 421);
    if (refused && this.#verb === "EHLO" && this.tls !== "encrypt") {
      this.#use("HELO");
      reply = await this.#say();
    }
    if (reply.class !== 2) this.#refused(reply, false);
    this.#looksLikeMe(reply);
    if (this.#verb === "HELO") return NO_FEATURES;
    return features(reply.lines, this.settings.discardEhloKeywords);
  }

  async #say(): Promise<Reply> {
    this.wire.send(`${this.#verb} ${this.settings.heloName}\r\n`);
    return await this.wire.wait(this.#hello);
  }

  #refused(reply: Reply, soften: boolean): never {
    throw new SiteError(refusalTrouble(reply, this.server, soften));
  }

  /** Mail to a server that calls itself by our name would come back to us. */
  #looksLikeMe(reply: Reply): void {
    if (this.server.port !== 25 || this.settings.protocol === "lmtp") return;
    const name = reply.lines[0]!.split(" ")[0]!.toLowerCase();
    if (name !== this.settings.myhostname.toLowerCase()) return;
    const { relay } = this.server;
    warning(`host ${relay} replied to HELO/EHLO with my own hostname ${this.settings.myhostname}`);
    throw new LoopError(this.server);
  }

  /** From STARTTLS on, a server or something on the way to it that does not get on with TLS may just break off. */
  async #startTls(offered: Features): Promise<Session> {
    try {
      return await this.#secured(offered);
    } catch (error) {
      if (!(error instanceof StreamError)) throw error;
      throw new TlsError(streamTrouble(error, this.server));
    }
  }

  async #secured(offered: Features): Promise<Session> {
    const phase = {
      name: "performing the STARTTLS handshake",
      seconds: this.settings.starttlsTimeout,
    };
    this.wire.send("STARTTLS\r\n");
    const reply = await this.wire.verdict(phase);
    if (reply.code !== 220) {
      if (this.tls === "may" && reply.code !== 421) return this.#session(offered);
      // It leaves, as a server may that breaks off at once.
      if (this.tls === "may") throw new TlsError(refusalTrouble(reply, this.server, true));
      throw this.#noTls(
        `TLS is required, but host ${this.server.label} refused to start TLS: ${reply.text}`,
      );
    }
    await this.#handshake(phase);
    // What was offered before is forgotten: only this reply is protected (RFC 3207 4.2).
    const session = this.#session(await this.#greet());
    session.tls = true;
    return session;
  }

  async #handshake(phase: Phase): Promise<void> {
    try {
      const tls = await this.wire.secure(this.server.name, phase);
      if (this.settings.tlsLoglevel < 1) return;
      tlsEstablished(tls.trusted ? "Trusted" : "Untrusted", `to ${this.server.relay}`, {
        protocol: tls.protocol,
        cipher: tls.cipher,
        usedBits: tls.bits,
        algorithmBits: tls.bits,
      });
    } catch (error) {
      if (!(error instanceof StreamError)) throw error;
      const why = error.what === "timeout" ? "Connection timed out" : error.message;
      info(`SSL_connect error to ${this.server.relay}: ${why || "lost connection"}`);
      throw new TlsError({
        dsn: "4.7.5",
        text: "Cannot start TLS: handshake failure",
        relay: this.server.relay,
        site: true,
      });
    }
  }

  #noTls(text: string): SiteError {
    return new SiteError({ dsn: "4.7.4", text, relay: this.server.relay, site: true });
  }
}
