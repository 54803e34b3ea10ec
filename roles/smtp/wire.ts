/** One connection to a server: bytes out, replies in, a deadline on each wait. */

import { isIP, type Socket } from "node:net";
import { connect as tlsConnect } from "node:tls";
import { utf8Bytes } from "../../shared/bytes.ts";
import { reason } from "../../shared/errors.ts";
import { type Reply, ReplyParser } from "../../shared/smtp/reply_parser.ts";
import type { Sweeper } from "./sweeper.ts";
import { type Phase, StreamError } from "./trouble.ts";

/** Replies nobody has read yet: a server that sends more than any batch can cause is broken. */
const MAX_WAITING_REPLIES = 6000;
/** And their bytes. */
const MAX_WAITING_BYTES = 1024 * 1024;
/** What comes in pieces up to this is copied: a reply must not keep the whole buffer that it was read into. */
const COPIED_BYTES = 4096;
/** How long a socket that has been ended may take to close. */
const CLOSE_SECONDS = 10;

export interface TlsInfo {
  readonly protocol: string;
  readonly cipher: string;
  readonly bits: number;
  readonly trusted: boolean;
}

interface Waiter {
  resolve(value?: unknown): void;
  reject(error: StreamError): void;
}

export class Wire {
  #parser = new ReplyParser();
  #replies: Reply[] = [];
  /** Received since there was no reply to read. */
  #waitingBytes = 0;
  #waiter: Waiter | undefined;
  /** `drain`: the waiter wants room to write, not a reply. */
  #waitsFor: "reply" | "drain" = "reply";
  #phase = "";
  #deadline = 0;
  #ended: { what: StreamError["what"]; detail: string } | undefined;
  #leaving = false;
  /** Told when a server speaks or leaves while nobody waits: a kept session is over. */
  onIdleEvent: (() => void) | undefined;

  constructor(public socket: Socket, readonly sweeper: Sweeper) {
    this.#listen(socket);
    sweeper.add(this);
  }

  get ended(): boolean {
    return this.#ended !== undefined;
  }

  /** Something has been received that nobody asked for yet. */
  get unread(): boolean {
    return this.#replies.length > 0 || !this.#parser.idle;
  }

  /** Sends commands. What the server said before cannot be meant for them, unless it is that it leaves. */
  send(text: string): void {
    if (this.unread && !this.#leaving && this.#replies[0]?.code !== 421) {
      return this.#breakOff("reply before its command");
    }
    this.socket.write(utf8Bytes(text));
  }

  /** False when the server does not keep up: then wait for `drained`. */
  write(bytes: Uint8Array): boolean {
    return this.socket.write(bytes);
  }

  /** The next reply, where it decides about mail: one that is not whole ends the session. Throws StreamError. */
  async verdict(phase: Phase): Promise<Reply> {
    const reply = this.#replies.shift() ?? await this.wait(phase);
    if (reply.isWhole) return reply;
    // What follows may be the rest of it, or answer another command than the next.
    const detail = `malformed reply: ${reply.text}`;
    this.#breakOff(detail);
    throw new StreamError("protocol", phase.name, detail);
  }

  /** The next reply; throws StreamError. */
  wait(phase: Phase): Promise<Reply> {
    const reply = this.#replies.shift();
    if (reply) return Promise.resolve(reply);
    return this.#wait("reply", phase) as Promise<Reply>;
  }

  /** Waits until written bytes have left or something is unread; throws StreamError. */
  async drained(phase: Phase): Promise<void> {
    if (!this.socket.writableNeedDrain && !this.#ended) return;
    await this.#wait("drain", phase);
  }

  /** Changes to TLS; bytes received before the handshake are dropped. Throws StreamError with the reason. */
  async secure(name: string, phase: Phase): Promise<TlsInfo> {
    const plain = this.socket;
    for (const event of ["data", "error", "close", "end", "drain"]) plain.removeAllListeners(event);
    plain.on("error", () => {});
    this.#parser = new ReplyParser();
    this.#replies = [];
    const wait = this.#wait("reply", phase);
    const secured = tlsConnect({
      socket: plain,
      rejectUnauthorized: false,
      ...(isIP(name) ? {} : { servername: name }),
    }, () => this.#wake());
    this.socket = secured;
    this.#listen(secured);
    await wait;
    const cipher = secured.getCipher()?.name ?? "";
    return {
      protocol: secured.getProtocol() ?? "",
      cipher,
      bits: /256|CHACHA20/.test(cipher) ? 256 : 128,
      trusted: secured.authorized,
    };
  }

  /** Says goodbye; the rest happens by itself. */
  quit(await_: Phase | undefined): void {
    this.#leaving = true;
    this.onIdleEvent = undefined;
    this.#deadline = this.sweeper.deadline(await_?.seconds || CLOSE_SECONDS);
    if (await_) this.send("QUIT\r\n");
    else this.socket.end("QUIT\r\n", () => this.destroy());
  }

  destroy(): void {
    this.#end("lost", "");
    this.socket.destroy();
  }

  sweep(now: number): void {
    if (!this.#deadline || now < this.#deadline) return;
    this.#end("timeout", "");
    this.socket.destroy();
  }

  #listen(socket: Socket): void {
    socket.on("data", (data: Uint8Array) => this.#take(data));
    socket.on("drain", () => {
      if (this.#waitsFor === "drain") this.#wake();
    });
    socket.on("error", (error) => this.#end("lost", reason(error)));
    socket.on("end", () => this.#end("lost", ""));
    socket.on("close", () => this.#end("lost", ""));
  }

  #take(data: Uint8Array): void {
    if (this.#ended) return;
    // A Buffer's own views and searches are slow.
    const read = new Uint8Array(data.buffer, data.byteOffset, data.length);
    const bytes = read.length <= COPIED_BYTES ? read.slice() : read;
    if (this.#replies.length === 0) this.#waitingBytes = 0;
    this.#waitingBytes += bytes.length;
    try {
      this.#parser.push(bytes, (reply) => this.#replies.push(reply));
      const tooMany = this.#replies.length > MAX_WAITING_REPLIES ||
        this.#waitingBytes > MAX_WAITING_BYTES;
      if (tooMany) throw new Error("replies without commands");
    } catch (error) {
      return this.#end("protocol", reason(error));
    }
    if (this.#leaving) return this.destroy();
    if (this.#waiter) {
      if (!this.#replies.length) return;
      // Whoever wants to write on must look at what was said.
      this.#wake(this.#waitsFor === "reply" ? this.#replies.shift() : undefined);
    } else this.onIdleEvent?.();
  }

  #wait(what: "reply" | "drain", phase: Phase): Promise<unknown> {
    if (this.#ended) {
      return Promise.reject(new StreamError(this.#ended.what, phase.name, this.#ended.detail));
    }
    this.#waitsFor = what;
    this.#phase = phase.name;
    this.#deadline = this.sweeper.deadline(phase.seconds);
    return new Promise((resolve, reject) => (this.#waiter = { resolve, reject }));
  }

  #wake(value?: unknown): void {
    const waiter = this.#waiter;
    this.#waiter = undefined;
    this.#deadline = 0;
    waiter?.resolve(value);
  }

  /** The two sides do not mean the same replies any more: nothing else that was said is believed. */
  #breakOff(detail: string): void {
    this.#replies = [];
    this.#end("protocol", detail);
  }

  #end(what: StreamError["what"], detail: string): void {
    if (this.#ended) return;
    this.#ended = { what, detail };
    this.#deadline = 0;
    this.sweeper.delete(this);
    const waiter = this.#waiter;
    this.#waiter = undefined;
    waiter?.reject(new StreamError(what, this.#phase, detail));
    if (!waiter) this.onIdleEvent?.();
    this.socket.destroy();
  }
}
