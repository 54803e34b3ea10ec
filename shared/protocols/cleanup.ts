/** cleanup: take a message in, rewrite it, hand it to the queue. Asked by smtpd, pickup and bounce. */

import { call, ENVELOPE_HEADER_BYTES, service } from "../ipc/declare.ts";
import { count, line, shape, Type } from "../ipc/schema.ts";
import { Envelope, MAX_REASON, MAX_RECIPIENTS, Recipient, Source } from "../mail/envelope.ts";

/** What names a body that was sent past cleanup: nobody else can guess it. */
export const BodyKey = line(32);

export const cleanupService = service("cleanup", {
  /**
   * The whole message. Content is RFC 5322 text whose lines end in CRLF with no bare CR or LF,
   * dots unstuffed, the submitter's own Received
   * header on top. When `queued` the message is on disk; otherwise `code`, `dsn` and `text` say what the client hears.
   */
  submit: call({
    request: shape({
      envelope: Envelope,
      recipients: Type.Array(Recipient, { maxItems: MAX_RECIPIENTS }),
      /** Rewrite headers in local context and add what is missing (Date, Message-Id, From). */
      local: Type.Boolean(),
      /** The sender's full name for an added From; from sendmail -F. */
      fullName: line(256),
      /** The content is the head alone, and the queue has what comes after it under this key. */
      body: Type.Optional(BodyKey),
      /** Of a submission that may be made again. */
      source: Type.Optional(Source),
    }),
    reply: shape({
      queued: Type.Boolean(),
      code: count(599),
      dsn: line(16),
      text: line(MAX_REASON),
      /** The queue id under which this very submission is queued already: nothing new was made of it. */
      already: Type.Optional(line(40)),
      /** Not queued for what this message holds while memory is short: the queue has room, and others may come. */
      crowded: Type.Optional(Type.Literal(true)),
    }),
    contentIn: true,
    deadlineSeconds: 3600,
    headerBytes: ENVELOPE_HEADER_BYTES,
  }),
});
