/** What can go wrong on the way, with the texts that people and tools read (reference 9.1). */

import type { Reply } from "../../shared/smtp/reply_parser.ts";

/** Why a delivery did not work here: noted for a recipient, and its outcome if no other server does better. */
export interface Trouble {
  /** 4.x.x defers, 5.x.x bounces. */
  readonly dsn: string;
  readonly text: string;
  /** `host[addr]:port`, or none. */
  readonly relay: string;
  /** The destination itself failed: no use to try it with other mail now. */
  readonly site: boolean;
  /** No other server can help. */
  readonly final?: boolean;
  readonly remoteMta?: string;
  readonly diagnostic?: string;
}

/** A reason to try again later, not to bounce. */
export function isSoft({ dsn }: Trouble): boolean {
  return !dsn.startsWith("5");
}

/** Setting up a session failed. */
export class SiteError extends Error {
  constructor(readonly trouble: Trouble) {
    super(trouble.text);
  }
}

/** The server is this host: it would send the mail to itself again, and so would whoever is no better than it. */
export class LoopError extends Error {
  constructor(readonly peer: Peer & { readonly rank?: number }) {
    super();
  }
}

/** A session broke off over TLS: with level `may` the next attempt may do without. */
export class TlsError extends SiteError {}

/** One wait on the server: the words of the log, and how long it may take. */
export interface Phase {
  readonly name: string;
  /** 0 is no limit. */
  readonly seconds: number;
}

/** The connection broke, or the server did not answer in time. */
export class StreamError extends Error {
  constructor(readonly what: "lost" | "timeout" | "protocol", readonly phase: string, detail = "") {
    super(detail);
  }
}

/** A kept session turned out to be dead before it took anything: a fresh one may do. */
export class StaleError extends Error {}

/** Who the server is, as texts name it. */
export interface Peer {
  readonly name: string;
  /** `host[addr]`. */
  readonly label: string;
  /** `host[addr]:port`. */
  readonly relay: string;
}

/** `lost connection with H while ...`, `conversation with H timed out while ...`. */
export function streamTrouble(error: StreamError, peer: Peer): Trouble {
  const text = error.what === "lost"
    ? `lost connection with ${peer.label} while ${error.phase}`
    : error.what === "timeout"
    ? `conversation with ${peer.label} timed out while ${error.phase}`
    : `protocol error of ${peer.label} while ${error.phase}: ${error.message}`;
  const dsn = error.what === "protocol" ? "4.5.0" : "4.4.2";
  return { dsn, text, relay: peer.relay, site: true };
}

/** `mail for N loops back to myself` (RFC 3463 3.5): for ever, or until a better server is there. */
export function loopTrouble(nexthop: string, hasBetter: boolean, relay = "none"): Trouble {
  const text = `mail for ${nexthop} loops back to myself`;
  return { dsn: hasBetter ? "4.4.6" : "5.4.6", text, relay, site: hasBetter, final: true };
}

/** The server was ready for content that we could not read once more: our own trouble. */
export function secondContentTrouble(error: Error, peer: Peer): Trouble {
  const text = `queue file could not be read again for ${peer.label}: ${error.message}`;
  return { dsn: "4.3.0", text, relay: peer.relay, site: false };
}

/** `host H said: ...`: a reply that did not take a recipient or the message. A code that does not fit is no verdict. */
export function replyTrouble(reply: Reply, command: string, peer: Peer): Trouble {
  const fits = reply.class === 4 || reply.class === 5;
  return {
    dsn: fits ? reply.dsn : "4.5.0",
    text: `host ${peer.label} said: ${reply.text} (in reply to ${command} command)`,
    relay: peer.relay,
    site: false,
    remoteMta: peer.name,
    diagnostic: reply.text,
  };
}

/** `host H refused to talk to me: ...`: the greeting or the handshake. `soften` makes 5xx a reason to try later. */
export function refusalTrouble(reply: Reply, peer: Peer, soften: boolean): Trouble {
  const hard = reply.class === 5 && !soften;
  const fits = reply.class === 4 || reply.class === 5;
  return {
    dsn: !fits ? "4.5.0" : hard ? reply.dsn : reply.dsn.replace(/^5/, "4"),
    text: `host ${peer.label} refused to talk to me: ${reply.text}`,
    relay: peer.relay,
    site: true,
    final: hard,
    remoteMta: peer.name,
    diagnostic: reply.text,
  };
}
