/**
 * `sendmail -bs`: SMTP on standard input and output, for mail programs that speak nothing else. There is no network and no
 * stranger here: the client is the user who called, and each message goes the way of any other, through the maildrop.
 */

import { parsePath } from "../../shared/mail/address_parse.ts";
import { external } from "../../shared/mail/address.ts";
import { MAX_RECIPIENTS } from "../../shared/mail/envelope.ts";
import { MAX_RECIPIENTS_BYTES, recipientBytes } from "../../shared/maildrop/file_format.ts";
import { upperCase } from "../../shared/smtp/keyword.ts";
import { type Reply, reply } from "../../shared/smtp/reply.ts";
import {
  BAD_RECIPIENT,
  BAD_SENDER,
  BYE,
  GO_AHEAD,
  MAIL_OK,
  MAIL_SYNTAX,
  NEED_MAIL,
  NEED_RCPT,
  NESTED_MAIL,
  NO_RECIPIENTS,
  NOT_RECOGNIZED,
  OK,
  RCPT_OK,
  RCPT_SYNTAX,
  sizeExtension,
  TOO_BIG,
  TOO_MANY_RECIPIENTS,
} from "../../shared/smtp/standard_replies.ts";
import { SmtpInput } from "./sendmail_smtp_input.ts";

/** What a client has said of one message. */
export interface SmtpMessage {
  readonly sender: string;
  readonly recipients: readonly string[];
  readonly smtputf8: boolean;
}

/** What a session needs. */
export interface SmtpOptions {
  readonly hostname: string;
  readonly mailName: string;
  /** Bytes; Infinity is no limit. */
  readonly messageSizeLimit: number;
  /** Replies, with their line ends. */
  out(text: string): void;
  /** Takes a message in, reading its content at least as far as it needs; the reply that its client hears. */
  submit(message: SmtpMessage, content: AsyncIterable<Uint8Array>): Promise<Reply>;
}

/** After so many errors in a row nobody sensible is there. */
const MAX_ERRORS = 20;

const TOO_LONG = reply(500, "5.5.2", "Error: line too long");
const TOO_MANY_ERRORS = reply(421, "4.7.0", "Error: too many errors");

/** Holds one session, to QUIT or to the end of the input. */
export async function smtpSession(
  input: AsyncIterable<Uint8Array>,
  options: SmtpOptions,
): Promise<void> {
  const session = new Session(new SmtpInput(input), options);
  await session.run();
}

class Session {
  #sender: string | undefined;
  #recipients: string[] = [];
  #recipientBytes = 0;
  #smtputf8 = false;

  constructor(readonly input: SmtpInput, readonly options: SmtpOptions) {}

  async run(): Promise<void> {
    const { hostname, mailName } = this.options;
    this.#send(reply(220, "", `${hostname} ESMTP ${mailName}`));
    for (let errors = 0; errors < MAX_ERRORS;) {
      const line = await this.input.line();
      if (line === undefined) return;
      const answer = line === "too long" ? TOO_LONG : await this.#answer(line.text);
      this.#send(answer);
      if (answer === BYE) return;
      // A client with many recipients hears of each that does not fit, and goes on with DATA.
      if (answer !== TOO_MANY_RECIPIENTS) errors = answer.code < 400 ? 0 : errors + 1;
    }
    this.#send(TOO_MANY_ERRORS);
  }

  #send(answer: Reply): void {
    this.options.out(answer.wire);
  }

  #answer(line: string): Reply | Promise<Reply> {
    const [, verb = "", argument = ""] = /^(\S*)\s*(.*)$/s.exec(line.trim()) ?? [];
    switch (upperCase(verb)) {
      case "HELO":
        return this.#greet(argument, false);
      case "EHLO":
        return this.#greet(argument, true);
      case "MAIL":
        return this.#mail(argument);
      case "RCPT":
        return this.#rcpt(argument);
      case "DATA":
        return argument ? reply(501, "5.5.4", "Syntax: DATA") : this.#data();
      case "RSET":
        this.#reset();
        return OK;
      case "NOOP":
        return OK;
      case "VRFY":
        return this.#vrfy(argument);
      case "QUIT":
        return BYE;
      default:
        return NOT_RECOGNIZED;
    }
  }

  #reset(): void {
    this.#sender = undefined;
    this.#recipients = [];
    this.#recipientBytes = 0;
    this.#smtputf8 = false;
  }

  #greet(name: string, esmtp: boolean): Reply {
    if (!name) return reply(501, "", `Syntax: ${esmtp ? "EHLO" : "HELO"} hostname`);
    this.#reset();
    const { hostname, messageSizeLimit } = this.options;
    if (!esmtp) return reply(250, "", hostname);
    const size = sizeExtension(messageSizeLimit);
    const offers = ["PIPELINING", size, "VRFY", "ENHANCEDSTATUSCODES", "8BITMIME", "SMTPUTF8"];
    return reply(250, "", [hostname, ...offers]);
  }

  #mail(argument: string): Reply {
    if (this.#sender !== undefined) return NESTED_MAIL;
    const text = /^FROM:(.*)$/is.exec(argument)?.[1];
    if (!text?.trim()) return MAIL_SYNTAX;
    const path = parsePath(text);
    if (!path) return BAD_SENDER;
    let smtputf8 = false;
    for (const parameter of path.rest.split(/\s+/).filter(Boolean)) {
      const size = /^SIZE=([0-9]{1,15})$/i.exec(parameter)?.[1];
      if (Number(size) > this.options.messageSizeLimit) return TOO_BIG;
      if (/^SMTPUTF8$/i.test(parameter)) smtputf8 = true;
      // The content itself shows what BODY= would say.
      else if (size === undefined && !/^BODY=(7BIT|8BITMIME)$/i.test(parameter)) {
        return reply(555, "5.5.4", `Unsupported option: ${parameter}`);
      }
    }
    this.#sender = path.address;
    this.#smtputf8 = smtputf8;
    return MAIL_OK;
  }

  #rcpt(argument: string): Reply {
    if (this.#sender === undefined) return NEED_MAIL;
    const text = /^TO:(.*)$/is.exec(argument)?.[1];
    if (!text?.trim()) return RCPT_SYNTAX;
    const path = parsePath(text);
    if (!path?.address) return BAD_RECIPIENT;
    if (path.rest) return reply(555, "5.5.4", `Unsupported option: ${path.rest}`);
    // Those that do not fit come with a message of their own, as the client knows from 452.
    const bytes = this.#recipientBytes + recipientBytes(path.address);
    if (this.#recipients.length >= MAX_RECIPIENTS || bytes > MAX_RECIPIENTS_BYTES) {
      return TOO_MANY_RECIPIENTS;
    }
    this.#recipientBytes = bytes;
    this.#recipients.push(path.address);
    return RCPT_OK;
  }

  async #data(): Promise<Reply> {
    if (this.#sender === undefined) return NEED_RCPT;
    if (!this.#recipients.length) return NO_RECIPIENTS;
    const message = {
      sender: this.#sender,
      recipients: this.#recipients,
      smtputf8: this.#smtputf8,
    };
    this.#send(GO_AHEAD);
    const content = this.input.content();
    // Whoever stops reading must not end it: what is left of a message that was refused is no command.
    const unending = { [Symbol.asyncIterator]: () => ({ next: () => content.next() }) };
    const answer = await this.options.submit(message, unending);
    while (!(await content.next()).done);
    this.#reset();
    return answer;
  }

  /** Whether somebody is there is known when the mail is delivered. */
  #vrfy(argument: string): Reply {
    const path = parsePath(argument);
    return path?.address ? reply(252, "2.0.0", external(path.address)) : BAD_RECIPIENT;
  }
}
