/**
 * What an SMTP server may do with the bytes of one client, told from these bytes and its replies alone, and written
 * without a look at smtpd: which message each 250 promises, and which reply breaks a rule. Text has one char a byte.
 */

import type { Reply } from "../support/smtp.ts";

/** A message that was answered by `queued as`. */
export interface Promised {
  readonly queueId: string;
  /** The path of MAIL as it was sent. */
  readonly sender: string;
  /** The paths of the RCPT commands that were taken. */
  readonly recipients: readonly string[];
  /** Content without the dots of transport, lines ended by CRLF. */
  readonly content: string;
}

/** What the server has to wait for, or `reply` when it is its turn. */
export type Due = "reply" | "nothing" | "line" | "content" | "chunk" | "handshake";

const LINE_LIMIT = 2048;
const BDAT = /^BDAT +([0-9]{1,15})( +LAST)?$/i;

export class Oracle {
  readonly promised: Promised[] = [];
  /** The server says that it ends the session. */
  over = false;
  #input = "";
  #inContent = false;
  #handshake = false;
  #sender: string | undefined;
  #recipients: string[] = [];
  #chunks = "";

  /** The client wrote this. */
  sent(bytes: string): void {
    this.#input += bytes;
  }

  /** The handshake succeeded: of what came before it nothing holds (RFC 3207 4.2). */
  secured(): void {
    this.#handshake = false;
    this.#input = "";
  }

  get due(): Due {
    if (this.#handshake) return "handshake";
    if (this.#inContent) return contentEnd(this.#input) < 0 ? "content" : "reply";
    const end = this.#input.indexOf("\n");
    if (end < 0) return this.#input ? "line" : "nothing";
    return this.#input.length < end + 1 + chunkSize(this.#line(end)) ? "chunk" : "reply";
  }

  /** There is a STARTTLS among what has no reply yet. */
  get asksForTls(): boolean {
    return /^starttls[ \t\r]*$/im.test(this.#input);
  }

  /** Bytes that the chunk under way still needs. */
  get missing(): number {
    const end = this.#input.indexOf("\n");
    return end + 1 + chunkSize(this.#line(end)) - this.#input.length;
  }

  /** The server's next reply. Throws when no server may give it. */
  replied({ code, text }: Reply): void {
    this.over = code === 421 || code === 521 || code === 221 || text.startsWith("554 5.5.0");
    // These come whenever the server has had enough.
    if (code === 421) return;
    if (this.due !== "reply") throw new Error(`${this.due} is due, and the server says ${text}`);
    if (this.#inContent) return this.#verdict(code, text, this.#takeContent());
    const end = this.#input.indexOf("\n"), line = this.#line(end), size = chunkSize(line);
    const chunk = this.#input.slice(end + 1, end + 1 + size);
    this.#input = this.#input.slice(end + 1 + size);
    this.#command(line, chunk, code, text);
  }

  #line(end: number): string {
    const line = this.#input.slice(0, end);
    return line.length > LINE_LIMIT ? "" : line.replace(/\r$/, "").replace(/^[ \t]+|[ \t]+$/g, "");
  }

  #command(line: string, chunk: string, code: number, text: string): void {
    const verb = line.split(" ", 1)[0]!.toUpperCase(), fine = code < 400;
    if (verb === "BDAT") return this.#chunk(line, chunk, code, text);
    if (!fine) return;
    if (verb === "DATA") {
      if (code !== 354 || !this.#recipients.length) throw new Error(`DATA for nobody: ${text}`);
      this.#inContent = true;
    } else if (/queued as/.test(text)) throw new Error(`nothing was sent, and it says ${text}`);
    else if (verb === "MAIL") {
      if (this.#sender !== undefined) throw new Error(`MAIL in MAIL: ${text}`);
      this.#sender = path(line);
    } else if (verb === "RCPT") {
      if (this.#sender === undefined) throw new Error(`RCPT without MAIL: ${text}`);
      this.#recipients.push(path(line));
    } else if (verb === "STARTTLS") {
      this.#handshake = true;
      this.#reset();
    } else if (verb === "RSET" || verb === "HELO" || verb === "EHLO") this.#reset();
  }

  #chunk(line: string, chunk: string, code: number, text: string): void {
    // A line that is no BDAT at all changes nothing.
    if (code >= 400) return BDAT.test(line) ? this.#reset() : undefined;
    if (!this.#recipients.length) throw new Error(`BDAT for nobody: ${text}`);
    this.#chunks += chunk;
    if (!/ LAST$/i.test(line)) return;
    // CRs at the very end are before no LF of the client's.
    const spaced = this.#chunks.replace(/\r+$/, (crs) => " ".repeat(crs.length));
    this.#verdict(code, text, withCrlf(/[^\n]$/.test(spaced) ? `${spaced}\r\n` : spaced));
  }

  /** After the end of content nothing is left of a transaction, whatever became of it. */
  #verdict(code: number, text: string, content: string): void {
    const [, queueId] = /queued as (\w+)/.exec(text) ?? [];
    if ((code === 250) !== (queueId !== undefined)) throw new Error(`unclear: ${text}`);
    if (queueId) {
      this.promised.push({ queueId, sender: this.#sender!, recipients: this.#recipients, content });
    }
    this.#reset();
  }

  #takeContent(): string {
    const content = contentOf(this.#input)!;
    this.#input = this.#input.slice(contentEnd(this.#input) + 3);
    this.#inContent = false;
    return content;
  }

  #reset(): void {
    this.#sender = undefined;
    this.#recipients = [];
    this.#chunks = "";
  }
}

/** What the content is that was sent after DATA, up to its end; undefined when it has none. */
export function contentOf(sent: string): string | undefined {
  const end = contentEnd(sent);
  if (end < 0) return undefined;
  return withCrlf(`\n${sent.slice(0, end)}`.replace(/\n\./g, "\n").slice(1));
}

/** RFC 5321 4.1.1.4: CRLF.CRLF ends content, and nothing else does. */
function contentEnd(sent: string): number {
  return `\r\n${sent}`.indexOf("\r\n.\r\n");
}

function chunkSize(line: string): number {
  return Number(BDAT.exec(line)?.[1] ?? 0);
}

/** An LF becomes CRLF with all CRs before it, a bare CR a space. */
function withCrlf(content: string): string {
  return content.replace(/\r*\n|\r/g, (end) => end === "\r" ? " " : "\r\n");
}

/** Between the colon and the parameters, without angle brackets. */
function path(line: string): string {
  const [, bracketed, plain] = /:\s*(?:<([^>]*)>|(\S+))/.exec(line) ?? [];
  return bracketed ?? plain ?? "";
}
