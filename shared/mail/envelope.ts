/** The envelope: what travels between roles beside a message's content. Declared once as schemas. */

import { count, line, shape, type Static, Type } from "../ipc/schema.ts";
import { QUEUE_ID } from "./queue_id.ts";

/** The longest address taken anywhere: `line_length_limit` bounds a command, this bounds what is stored. */
export const MAX_ADDRESS = 1000;
/** The most recipients one message may carry after expansion. */
export const MAX_RECIPIENTS = 50_000;
/** The longest text of a remote reply or local reason that is kept. */
export const MAX_REASON = 2000;
/** The longest `host[address]:port`: a host name, an IPv6 address. */
export const MAX_RELAY = 320;
/** The longest ENVID, in xtext (RFC 3461 4.4). */
export const MAX_ENVID = 100;

/** NOTIFY of RFC 3461 4.1; empty means the default, failure and delay. */
export const Notify = Type.Array(
  Type.Enum(["NEVER", "SUCCESS", "FAILURE", "DELAY"]),
  { maxItems: 3 },
);

/** A time: milliseconds since the epoch, no more than a Date holds (ECMAScript's 100 million days). */
export const Time = count(8_640_000_000_000_000);

/** A recipient: where it goes now, as it first came, and what RFC 3461 says of it. Addresses are internal form. */
export const Recipient = shape({
  address: line(MAX_ADDRESS),
  /** As it arrived, before rewriting and expansion. */
  original: line(MAX_ADDRESS),
  /** ORCPT verbatim, `rfc822;user@example.com`, or empty. */
  orcpt: line(MAX_ADDRESS),
  notify: Notify,
});
export type Recipient = Static<typeof Recipient>;

/** Who handed the message in; empty strings where unknown or local. */
export const Client = shape({
  name: line(255),
  address: line(64),
  port: count(65535),
  helo: line(512),
  /** SMTP, ESMTP, ESMTPS, UTF8SMTP ...; empty for local submission. */
  protocol: line(32),
});
export type Client = Static<typeof Client>;

/** Of what was made on this host. */
export const NO_CLIENT: Client = { name: "", address: "", port: 0, helo: "", protocol: "" };

/** Everything about a message but its recipients and content. */
export const Envelope = shape({
  queueId: Type.String({
    pattern: QUEUE_ID.source,
  }),
  /** Internal form; empty is the null sender. */
  sender: line(MAX_ADDRESS),
  /** When the message began to arrive. */
  arrived: Time,
  client: Client,
  smtputf8: Type.Boolean(),
  /** With `smtputf8`: the header section has text beyond ASCII. Known from cleanup on; missing where nobody has looked. */
  utf8Header: Type.Optional(Type.Boolean()),
  /** BODY= of RFC 6152, or what the content shows. */
  body: Type.Enum(["7bit", "8bit"]),
  /** RET= of RFC 3461; empty when not given. */
  ret: Type.Enum(["", "FULL", "HDRS"]),
  /** ENVID= of RFC 3461, still in xtext; empty when not given. */
  envid: line(MAX_ENVID),
  /**
   * The sender asked for a report by mail on each recipient: on the first attempt to `deliver` (sendmail -v), or on what one
   * would come to, `verify`, where nothing is delivered (-bv).
   */
  trace: Type.Optional(Type.Enum(["deliver", "verify"])),
});
export type Envelope = Static<typeof Envelope>;

/** A name for where a submission came from: no two submissions have the same. */
export const SourceId = Type.String({ pattern: "^[0-9a-f]{64}$" });

/** What makes a submission count once, however often it is made: who made it may die before it hears that it is queued. */
export const Source = shape({
  id: SourceId,
  /** Earlier ones that will not come again: they may be forgotten. */
  settled: Type.Array(SourceId, { maxItems: 100 }),
});
export type Source = Static<typeof Source>;

/** An enhanced status code (RFC 3463). */
export const Dsn = Type.String({ pattern: "^[245]\\.[0-9]{1,3}\\.[0-9]{1,3}$" });

/** What became of one recipient in one attempt. */
export const Outcome = shape({
  /** The recipient's number within its message. */
  n: count(MAX_RECIPIENTS),
  /** The last two of a message that is only verified, the others of every other message: see `verify.ts`. */
  status: Type.Enum(["sent", "deferred", "bounced", "deliverable", "undeliverable"]),
  dsn: Dsn,
  /** The last reply, or the local reason. */
  text: line(MAX_REASON),
  /** The remote server's name when its reply decided, for Remote-MTA; empty otherwise. */
  remoteMta: line(255),
  /** The remote server's reply for Diagnostic-Code `smtp;`; empty when the reason is local. */
  diagnostic: line(MAX_REASON),
  /**
   * For `sent`, what it means for NOTIFY=SUCCESS (RFC 3461 5.2): `delivered` here, which is the default; `relayed` to a server
   * without DSN; `expanded`, of an alias; or `passed`, of which we tell nobody: to a server with DSN, which reports itself, or
   * out of the system.
   */
  success: Type.Optional(Type.Enum(["delivered", "relayed", "expanded", "passed"])),
  /** The relay as the log has it, where a report is to name it. */
  relay: Type.Optional(line(MAX_RELAY)),
});
export type Outcome = Static<typeof Outcome>;
