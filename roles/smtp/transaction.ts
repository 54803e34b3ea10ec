/** One mail transaction on an open session: MAIL, RCPT, DATA, the content, and who was taken. */

import { isAscii } from "../../shared/bytes.ts";
import { info } from "../../shared/log/log.ts";
import type { Outcome } from "../../shared/mail/envelope.ts";
import type { SmtpSettings } from "../../shared/parameters/smtp.ts";
import type { Reply } from "../../shared/smtp/reply_parser.ts";
import { stopAt } from "../../shared/stop_points.ts";
import { SevenBitStuffer, Stuffer, stuffWhole } from "./body.ts";
import { isUnsafe, mailCommand, rcptCommand } from "./commands.ts";
import type { Job, Open } from "./job.ts";
import type { Session } from "./session.ts";
import { type Phase, replyTrouble, StaleError, StreamError, type Trouble } from "./trouble.ts";

/** The waits of a transaction; made once, from the parameters. */
export interface Phases {
  readonly mail: Phase;
  readonly rcpt: Phase;
  readonly data: Phase;
  readonly body: Phase;
  readonly end: Phase;
  readonly reset: Phase;
}

export function phases(settings: SmtpSettings): Phases {
  return {
    mail: { name: "sending MAIL FROM", seconds: settings.mailTimeout },
    rcpt: { name: "sending RCPT TO", seconds: settings.rcptTimeout },
    data: { name: "sending DATA command", seconds: settings.dataInitTimeout },
    body: { name: "sending message body", seconds: settings.dataXferTimeout },
    end: {
      name: "sending end of data -- message may be sent more than once",
      seconds: settings.dataDoneTimeout,
    },
    reset: { name: "sending RSET probe", seconds: settings.rsetTimeout },
  };
}

const END_OF_DATA = "end of DATA";

/**
 * Sends the job's message to everyone who is open, or finds out whether they would be taken. Throws StreamError, StaleError,
 * or what reading its content throws.
 */
export class Transaction {
  #accepted: Open[] = [];

  constructor(
    readonly session: Session,
    readonly job: Job,
    readonly settings: SmtpSettings,
    readonly phases: Phases,
  ) {}

  async run(): Promise<void> {
    this.#refuseUnsafe();
    const { job, session } = this;
    if (!job.open.length) return;
    const utf8 = this.#needsUtf8();
    const recipients = this.#fitting(utf8);
    if (!recipients.length) return;
    const offered = session.features, batch = offered.pipelining;
    const mail = mailCommand(job.request, offered, utf8 || recipients.some(isUtf8));
    if (batch) {
      let commands = session.needsReset ? "RSET\r\n" + mail : mail;
      for (const { recipient } of recipients) commands += rcptCommand(recipient, offered);
      session.wire.send(commands + (job.isVerified ? "RSET\r\n" : "DATA\r\n"));
    }
    const taken = await this.#mail(batch ? "" : mail);
    if (!taken && !batch) return;
    for (const open of recipients) {
      const command = batch ? "" : rcptCommand(open.recipient, offered);
      const reply = await this.#ask(command, this.phases.rcpt);
      if (!taken) continue;
      if (reply.class === 2 && job.isVerified) job.sent(open, reply, this.#success(open));
      else if (reply.class === 2) this.#accepted.push(open);
      else job.failed(open, this.#refused(reply));
    }
    session.needsReset = true;
    if (job.isVerified) return await this.#leave(batch);
    if (!this.#accepted.length && !batch) return;
    if (await this.#data(batch)) await this.#content();
  }

  /** Refuses what no server may be sent. */
  #refuseUnsafe(): void {
    const { job } = this;
    if (isUnsafe(job.request.envelope.sender)) {
      job.failedRest(this.#refusal("5.1.7", "bad sender address syntax"));
    }
    for (const open of job.open) {
      if (!isUnsafe(open.recipient.address)) continue;
      job.failed(open, this.#refusal("5.1.3", "bad recipient address syntax"));
    }
  }

  /** True when the message cannot be sent without SMTPUTF8, whoever it is for. */
  #needsUtf8(): boolean {
    const { request: { envelope }, content } = this.job;
    return !isAscii(envelope.sender) ||
      envelope.smtputf8 && (envelope.utf8Header ?? mayHaveUtf8(content.whole));
  }

  /** Whose mail this server can be sent, by what it offered; to the others another may offer more. */
  #fitting(utf8: boolean): readonly Open[] {
    const { job } = this, { size } = job.request, { features, server } = this.session;
    const { sizeLimit } = features;
    if (sizeLimit && size > sizeLimit) {
      const text = `message size ${size} exceeds size limit ${sizeLimit} of server ${server.label}`;
      job.unfit(job.open, this.#refusal("5.3.4", text));
      return [];
    }
    const unfit = features.utf8 ? [] : utf8 ? job.open : job.open.filter(isUtf8);
    if (!unfit.length) return job.open;
    const text = `SMTPUTF8 is required, but was not offered by host ${server.label}`;
    job.unfit(unfit, this.#refusal("5.6.7", text));
    return utf8 ? [] : job.open.filter((open) => !isUtf8(open));
  }

  #refusal(dsn: string, text: string): Trouble {
    return { dsn, text, relay: this.session.server.relay, site: false };
  }

  /** Sends a command unless it went out with the batch, and takes its reply. */
  async #ask(command: string, phase: Phase): Promise<Reply> {
    const { session } = this;
    if (command) session.wire.send(command);
    const reply = await session.wire.verdict(phase);
    if (reply.code === 421) session.leaving = true;
    return reply;
  }

  /** RSET where the transaction before was broken off, and MAIL. */
  async #mail(command: string): Promise<boolean> {
    const { session, job } = this;
    let reply: Reply;
    try {
      if (session.needsReset) {
        const reset = command ? "RSET\r\n" : "";
        const answer = await this.#ask(reset, this.phases.reset);
        if (answer.class !== 2) throw new StreamError("lost", this.phases.reset.name);
        session.needsReset = false;
      }
      reply = await this.#ask(command, this.phases.mail);
    } catch (error) {
      if (session.uses > 1 && error instanceof StreamError) throw new StaleError();
      throw error;
    }
    if (reply.class === 2) return true;
    if (reply.code === 421 && session.uses > 1) throw new StaleError();
    job.failedRest(replyTrouble(reply, "MAIL FROM", session.server));
    this.#checkStep(reply);
    return false;
  }

  /** Why RCPT was not taken. Behind others 552 may say that there were too many of them at once (RFC 5321 4.5.3.1.10). */
  #refused(reply: Reply): Trouble {
    const trouble = replyTrouble(reply, "RCPT TO", this.session.server);
    const isTooMany = reply.code === 552 && this.#accepted.length > 0 &&
      ["", "5.5.3"].includes(reply.enhanced);
    return isTooMany ? { ...trouble, dsn: "4.5.3" } : trouble;
  }

  /** RSET in place of DATA: the server forgets what it was asked. */
  async #leave(batch: boolean): Promise<void> {
    const { session } = this;
    const reply = await this.#ask(batch ? "" : "RSET\r\n", this.phases.reset);
    if (reply.class === 2) session.needsReset = false;
    else session.usable = false;
  }

  /** DATA; true when the content may follow. */
  async #data(batch: boolean): Promise<boolean> {
    const { session, job } = this;
    const reply = await this.#ask(batch ? "" : "DATA\r\n", this.phases.data);
    if (reply.class === 3) {
      if (this.#accepted.length) return true;
      // It waits for content that nobody is to get: there is none (RFC 2920 3.1). LMTP has no reply to that.
      session.usable = false;
      if (this.settings.protocol === "lmtp") return false;
      const { class: verdict } = await this.#ask(".\r\n", this.phases.reset);
      session.usable = verdict === 2 || verdict === 4 || verdict === 5;
      return false;
    }
    for (const open of this.#accepted) {
      job.failed(open, replyTrouble(reply, "DATA", session.server));
    }
    this.#checkStep(reply);
    return false;
  }

  /** The content, and the reply to its end: one for all, or with LMTP one for each (RFC 2033 4.2). */
  async #content(): Promise<void> {
    const { session, job } = this;
    // From here on this session is in the middle of something until the last reply is here.
    session.usable = false;
    const early = await this.#send();
    if (early) {
      // A verdict before the end: never a yes, and the session cannot go on.
      for (const open of this.#accepted) {
        job.failed(open, replyTrouble(early, END_OF_DATA, session.server));
      }
      return;
    }
    stopAt?.("smtp.content_sent");
    let reply = await this.#ask("", this.phases.end);
    stopAt?.("smtp.accepted");
    for (let i = 0; i < this.#accepted.length; i++) {
      if (i > 0 && this.settings.protocol === "lmtp") {
        reply = await this.#ask("", this.phases.end);
      }
      const open = this.#accepted[i]!;
      if (reply.class === 2) job.sent(open, reply, this.#success(open));
      else job.failed(open, replyTrouble(reply, END_OF_DATA, session.server));
    }
    session.needsReset = false;
    session.usable = !session.leaving &&
      (reply.class === 2 || reply.class === 4 || reply.class === 5);
  }

  /** Who tells the sender of success (RFC 3461 5.2): a server with DSN, or we, and then what is known: it was relayed. */
  #success({ recipient }: Open): Outcome["success"] {
    const traced = this.job.request.envelope.trace !== undefined;
    if (!traced && !recipient.notify.includes("SUCCESS")) return undefined;
    if (this.session.features.dsn) return "passed";
    const { protocol, lmtpAssumeFinal } = this.settings;
    return protocol === "lmtp" && lmtpAssumeFinal ? "delivered" : "relayed";
  }

  /** Writes the content and what ends it; returns a reply that came too early. */
  async #send(): Promise<Reply | undefined> {
    const { wire } = this.session, { whole } = this.job.content;
    const stuffer = this.#stuffer();
    try {
      if (whole) {
        if (wire.unread) return await this.#ask("", this.phases.body);
        for (const part of stuffWhole(whole, stuffer)) wire.write(part);
        this.#noteBroken(stuffer);
        return undefined;
      }
      for await (const chunk of this.job.chunks()) {
        if (wire.unread) return await this.#ask("", this.phases.body);
        if (!wire.write(stuffer.push(chunk))) await wire.drained(this.phases.body);
      }
      // The last chunk may be long gone, and what was said since is no reply to an end that is not sent yet.
      if (wire.unread) return await this.#ask("", this.phases.body);
      wire.write(stuffer.end());
      this.#noteBroken(stuffer);
      return undefined;
    } catch (error) {
      if (!(error instanceof StreamError)) throw error;
      // What the server said before it left, if anything.
      return await this.#ask("", this.phases.body);
    }
  }

  /**
   * 8-bit content is converted for a server that does not take it (RFC 6152 3): whatever MAIL said of the message, a part of it
   * may say that it is 8-bit.
   */
  #stuffer(): Stuffer {
    const { lineLengthLimit, mimeNestingLimit, mimeBoundaryLengthLimit } = this.settings;
    const fits = this.session.features.eightBit || this.settings.disableMimeOutputConversion;
    if (fits) return new Stuffer(lineLengthLimit);
    const limits = { nesting: mimeNestingLimit, boundaryBytes: mimeBoundaryLengthLimit };
    return new SevenBitStuffer(lineLengthLimit, limits);
  }

  #noteBroken(stuffer: Stuffer): void {
    if (!stuffer.broke) return;
    const limit = this.settings.lineLengthLimit;
    info(`${this.job.queueId}: breaking line > ${limit} bytes with <CR><LF>SPACE`);
  }

  /** After 421, or a code that has no place here, the two sides may not mean the same reply any more. */
  #checkStep(reply: Reply): void {
    const { session } = this;
    if (session.leaving || (reply.class !== 4 && reply.class !== 5)) session.usable = false;
  }
}

/** A recipient to whom nothing can be sent without SMTPUTF8. */
function isUtf8({ recipient }: Open): boolean {
  return !isAscii(recipient.address);
}

/**
 * For messages from a time when nobody wrote it down: true when the header section has 8-bit text, and true as well when it is
 * not at hand, because a server that did not offer it must never be sent such a header (RFC 6531 3.5).
 */
function mayHaveUtf8(whole: Uint8Array | undefined): boolean {
  if (!whole) return true;
  for (let i = 0; i < whole.length; i++) {
    if (whole[i]! >= 0x80) return true;
    if (whole[i] === 10 && whole[i + 1] === 13 && whole[i + 2] === 10) return false;
  }
  return false;
}
