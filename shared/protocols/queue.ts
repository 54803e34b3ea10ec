/**
 * qmgr's services: intake takes mail in, bodies what comes past cleanup, outcomes takes back what a dead qmgr missed, queue
 * is for operators, flush for everybody.
 */

import { call, ENVELOPE_HEADER_BYTES, service } from "../ipc/declare.ts";
import { count, line, shape, type Static, Type } from "../ipc/schema.ts";
import {
  Envelope,
  MAX_ADDRESS,
  MAX_RECIPIENTS,
  Outcome,
  Recipient,
  Source,
} from "../mail/envelope.ts";
import { BodyKey } from "./cleanup.ts";
import { Handed } from "./delivery.ts";

/**
 * Asked by smtpd. The body of one message, in a synced file with the reply; it is removed when the reply is settled or the
 * asker gone, if no enqueue has named it by then.
 */
export const bodiesService = service("bodies", {
  keep: call({
    request: shape({ queueId: line(40), key: BodyKey }),
    reply: shape({}),
    contentIn: true,
    settles: true,
    deadlineSeconds: 3600,
  }),
});

/** Asked by cleanup alone. The reply comes after the commit: the message is durable. */
export const intakeService = service("intake", {
  enqueue: call({
    request: shape({
      envelope: Envelope,
      /** The key of the body that comes after this content; undefined when the content is all. */
      body: Type.Optional(BodyKey),
      recipients: Type.Array(Recipient, { minItems: 1, maxItems: MAX_RECIPIENTS }),
      /** Aliases whose members are among the recipients, and whose sender is to hear of that: NOTIFY=SUCCESS. */
      expanded: Type.Optional(Type.Array(Recipient, { maxItems: MAX_RECIPIENTS })),
      source: Type.Optional(Source),
    }),
    /** `already`: the queue id under which the same source is queued; this message is not. */
    reply: shape({ already: Type.Optional(line(40)) }),
    contentIn: true,
    deadlineSeconds: 3600,
    headerBytes: ENVELOPE_HEADER_BYTES,
  }),
});

/** Asked by delivery agents about what they were handed. */
export const outcomesService = service("outcomes", {
  /** "These are with me, or I can say what became of them": qmgr keeps them out of its schedule until this conversation ends. */
  working: call({ request: Handed, reply: shape({}), deadlineSeconds: 0 }),
  /** The content once more, for a second server. */
  content: call({ request: Handed, reply: shape({}), contentOut: true, deadlineSeconds: 60 }),
  /** Outcomes that the former qmgr may not have committed; the reply comes after the commit. */
  report: call({
    request: shape({ handed: Handed, outcomes: Type.Array(Outcome, { maxItems: 5000 }) }),
    reply: shape({}),
    deadlineSeconds: 60,
    headerBytes: ENVELOPE_HEADER_BYTES,
  }),
});

/** How a message is named to the queue's commands: ids, or every message. */
const Which = Type.Union([
  Type.Literal("ALL"),
  Type.Array(line(40), { maxItems: 10_000 }),
]);
export type Which = Static<typeof Which>;

/** What is done to messages; the reply says to how many. */
const change = call({
  request: shape({ which: Which }),
  reply: shape({ count: count() }),
  deadlineSeconds: 600,
  headerBytes: 1 << 20,
});

/** For root and the owner of the system. */
export const queueService = service("queue", {
  hold: change,
  release: change,
  delete: change,
  requeue: change,
});

/** Any local user may ask for this (`authorized_flush_users`), and for nothing else of the queue. */
export const flushService = service("flush", {
  /** Try now: everything (`id` and `site` empty), one message, or all mail for a site; forgets dead destinations. */
  flush: call({
    request: shape({ id: line(40), site: line(MAX_ADDRESS) }),
    reply: shape({ count: count() }),
    deadlineSeconds: 600,
  }),
});

/** One message in the listing, as `postqueue -j` prints it (reference 9.6). */
export const Listed = shape({
  queue_name: Type.Enum(["incoming", "active", "deferred", "hold", "corrupt"]),
  queue_id: line(40),
  /** Seconds since the epoch. */
  arrival_time: count(),
  message_size: count(),
  forced_expire: Type.Boolean(),
  sender: line(MAX_ADDRESS),
  recipients: Type.Array(shape({
    address: line(MAX_ADDRESS),
    orig_address: Type.Optional(line(MAX_ADDRESS)),
    /** At most one of these: why the recipient waits, or was given up, or what was found where nothing is delivered. */
    delay_reason: Type.Optional(line(2100)),
    bounce_reason: Type.Optional(line(2100)),
    other_reason: Type.Optional(line(2100)),
  })),
});
export type Listed = Static<typeof Listed>;

/**
 * showq lists the queue for people. Any local user may ask, so it tells who writes to whom and why it waits, and nothing
 * of a message's content: postcat reads the queue itself, with the rights of whoever calls it.
 */
export const showqService = service("showq", {
  /** Content of the reply: one JSON `Listed` a line; a message with many recipients takes several lines. */
  list: call({ request: shape({}), reply: shape({}), contentOut: true, deadlineSeconds: 60 }),
});
