/** One question to one name server: UDP from a fresh random port, TCP when the answer does not fit (RFC 1035 4.2, RFC 5452). */

import { createSocket } from "node:dgram";
import { connect, isIPv6 } from "node:net";
import { PeerError, reason } from "../../shared/errors.ts";
import type { RecordType } from "../../shared/protocols/dns.ts";
import { decodeMessage, encodeQuestion, isNotUnderstood, type Message } from "./packet.ts";
import { framed, TcpFrame } from "./tcp_frame.ts";

export interface NameServer {
  readonly address: string;
  readonly port: number;
}

export interface Question {
  readonly name: string;
  readonly type: RecordType;
}

/** Packets that are not our answer: after so many somebody is guessing, and TCP cannot be guessed. */
const MAX_STRAY_PACKETS = 20;

/**
 * The server's answer to exactly this question, or with `edns` that it did not understand it; throws PeerError when there is
 * none in time.
 */
export async function exchange(
  server: NameServer,
  question: Question,
  options: { milliseconds: number; edns: boolean; udp: boolean },
): Promise<Message> {
  const { milliseconds, edns, udp } = options;
  const id = crypto.getRandomValues(new Uint16Array(1))[0]!;
  const bytes = encodeQuestion(id, question.name, question.type, edns);
  const isAnswer = (message: Message) => {
    if (!message.isResponse || message.id !== id) return false;
    // Who does not know EDNS may send back no more than the header.
    if (!message.question) return edns && isNotUnderstood(message);
    return message.question.name === question.name && message.question.type === question.type;
  };
  if (udp) {
    const message = await overUdp(server, bytes, milliseconds, isAnswer);
    if (message && !message.truncated) return message;
  }
  const message = await overTcp(server, bytes, milliseconds);
  if (!isAnswer(message)) throw new PeerError("the answer is to another question");
  return message;
}

/** Undefined when only TCP will do. */
function overUdp(
  server: NameServer,
  bytes: Uint8Array,
  milliseconds: number,
  isAnswer: (message: Message) => boolean,
): Promise<Message | undefined> {
  return new Promise((resolve, reject) => {
    const socket = createSocket(isIPv6(server.address) ? "udp6" : "udp4");
    let stray = 0, done = false;
    const timer = setTimeout(() => end(new PeerError("no answer in time")), milliseconds);
    function end(error?: Error, message?: Message): void {
      if (done) return;
      done = true;
      clearTimeout(timer);
      socket.close();
      if (error) reject(error);
      else resolve(message);
    }
    socket.on("error", (error) => end(new PeerError(error.message)));
    socket.on("message", (data: Uint8Array, from: { address: string; port: number }) => {
      const message = fromServer(server, from) ? tryDecode(data) : undefined;
      if (message && isAnswer(message)) end(undefined, message);
      else if (++stray > MAX_STRAY_PACKETS) end();
    });
    socket.bind(0, isIPv6(server.address) ? "::" : "0.0.0.0", () => {
      if (done) return;
      socket.send(bytes, server.port, server.address, (error) => {
        if (error) end(new PeerError(error.message));
      });
    });
  });
}

function fromServer(server: NameServer, from: { address: string; port: number }): boolean {
  return from.port === server.port && from.address.toLowerCase() === server.address.toLowerCase();
}

/** A malformed packet may be forged: the real answer may still come. */
function tryDecode(data: Uint8Array): Message | undefined {
  try {
    return decodeMessage(data);
  } catch {
    return undefined;
  }
}

function overTcp(server: NameServer, bytes: Uint8Array, milliseconds: number): Promise<Message> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: server.address, port: server.port });
    const timer = setTimeout(() => end(new PeerError("no answer in time")), milliseconds);
    const frame = new TcpFrame();
    let done = false;
    function end(error?: Error, message?: Message): void {
      if (done) return;
      done = true;
      clearTimeout(timer);
      socket.destroy();
      if (message) resolve(message);
      else reject(error);
    }
    socket.on("error", (error: Error) => end(new PeerError(error.message || error.name)));
    socket.on("close", () => end(new PeerError("connection closed")));
    socket.on("connect", () => socket.write(framed(bytes)));
    socket.on("data", (data: Uint8Array) => {
      const message = frame.push(data);
      if (!message) return;
      try {
        end(undefined, decodeMessage(message));
      } catch (error) {
        end(new PeerError(reason(error)));
      }
    });
  });
}
