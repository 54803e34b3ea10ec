/** Takes in a message's content, by DATA or BDAT, and says what the client hears at its end. */

import { utf8Bytes } from "../../shared/bytes.ts";
import { counter } from "../../shared/counters.ts";
import { reason } from "../../shared/errors.ts";
import { CallError } from "../../shared/ipc/failure.ts";
import { warning } from "../../shared/log/log.ts";
import { type Reply, reply } from "../../shared/smtp/reply.ts";
import {
  FILE_TOO_BIG,
  NO_SPACE,
  PROTOCOL_ERROR,
  WRITE_ERROR,
} from "../../shared/smtp/standard_replies.ts";
import { stopAt } from "../../shared/stop_points.ts";
import { checkEndOfData } from "./restriction_lists.ts";
import { ContentReader } from "./end_of_data.ts";
import { FirstLine } from "./first_line.ts";
import { Flow, type Submitted } from "./flow.ts";
import { received } from "./received_header.ts";
import type { Session } from "./session.ts";

const messages = counter("smtpd_messages", "messages accepted");
const contentBytes = counter("smtpd_content_bytes", "content bytes of accepted messages");

/** The content of one message on its way from the wire to cleanup. */
export class Intake {
  readonly reader: ContentReader;
  /** Over `message_size_limit`: read on, so that content is not taken for commands, and refuse at its end. */
  tooBig = false;
  #first = new FirstLine();
  #flow: Flow;
  #parts: Uint8Array[] = [];

  constructor(readonly session: Session, dots: boolean) {
    const { settings, peer, transaction, services } = session;
    const lenient = settings.forbidBareNewline === "no" || settings.bareLfExcluded(peer.address);
    this.reader = new ContentReader({ dots, lenient });
    const { recipients } = transaction, local = settings.hasLocalHeaders(peer.address);
    this.#flow = new Flow(head(session), {
      submit: (content, body) =>
        services.submit(envelope(session), recipients, content, local, body),
      keepBody: (key, body) => services.keepBody(transaction.queueId!, key, body),
    });
  }

  /** Takes the bytes of a chunk that are content; gives how many these are. */
  take(chunk: Uint8Array): number {
    const used = this.reader.push(chunk, this.#parts);
    this.#pass();
    return used;
  }

  /** BDAT LAST. */
  finish(): void {
    this.reader.finish(this.#parts);
    this.#pass();
  }

  /** Cleanup does not keep up. */
  get crowded(): boolean {
    return this.#flow.crowded;
  }

  space(): Promise<void> {
    return this.#flow.space();
  }

  /** All content has come: what cleanup makes of it. */
  submitted(): Promise<Submitted> {
    this.#flow.push(this.#first.finish());
    return this.#flow.finish();
  }

  cancel(why: string): void {
    this.#flow.cancel(why);
  }

  #pass(): void {
    const limit = this.session.settings.messageSizeLimit;
    const parts = this.#parts;
    this.#parts = [];
    if (this.tooBig) return;
    const given = parts.length ? this.#first.push(parts) : parts;
    // What was inserted counts: a message of mailbox separators alone would grow threefold.
    if (this.reader.size + this.#first.added > limit) {
      this.tooBig = true;
      this.#flow.cancel("message_size_limit exceeded");
    } else if (given.length) this.#flow.push(given);
  }
}

/** Reads the content of DATA; the reply to its end, or undefined when the client went away. */
export async function receiveData(session: Session): Promise<Reply | undefined> {
  const { wire } = session;
  const intake = session.transaction.intake = new Intake(session, true);
  session.contentBytes = 0;
  wire.arm();
  while (!intake.reader.ended) {
    if (wire.held === 0 && !await wire.ready()) return undefined;
    const chunk = wire.take();
    const used = intake.take(chunk);
    session.contentBytes += used;
    if (used < chunk.length) wire.unread(chunk.length - used);
    if (intake.crowded) await keepUp(session, intake);
  }
  return endOfMessage(session, intake, "");
}

/** Waits for cleanup; the client is not to blame for that time. */
export async function keepUp({ wire }: Session, intake: Intake): Promise<void> {
  wire.disarm();
  await intake.space();
  wire.arm();
}

/**
 * The content is whole: asks the last restrictions and cleanup, and resets the transaction whatever they say.
 * `prefix` goes before `queued as` in the reply.
 */
export async function endOfMessage(
  session: Session,
  intake: Intake,
  prefix: string,
): Promise<Reply> {
  session.where = "END-OF-MESSAGE";
  session.wire.disarm();
  try {
    const refused = contentRefused(session, intake) ?? await checkEndOfData(session);
    if (refused) {
      intake.cancel("refused at the end of data");
      return refused;
    }
    return replyTo(session, intake, await intake.submitted(), prefix);
  } finally {
    session.resetTransaction("the end of data");
  }
}

function contentRefused(session: Session, intake: Intake): Reply | undefined {
  const wrong = faultOf(session, intake);
  return wrong && session.refuse(wrong, { recipient: session.transaction.onlyRecipient });
}

function faultOf(session: Session, intake: Intake): Reply | undefined {
  const { settings } = session;
  if (intake.tooBig) return FILE_TOO_BIG;
  if (!intake.reader.bareLf || intake.reader.options.lenient) return undefined;
  if (settings.forbidBareNewline === "note") session.sawBareLf = true;
  if (settings.forbidBareNewline !== "reject") return undefined;
  const text = `${settings.myhostname} Error: bare <LF> received`;
  return reply(settings.forbidBareNewlineRejectCode, "5.5.2", text);
}

/** Local trouble is always "later"; only what cleanup decided about the message may be "no". */
function replyTo(session: Session, intake: Intake, submitted: Submitted, prefix: string): Reply {
  const { queueId } = session.transaction;
  const { clock, space } = session.services;
  if ("error" in submitted) {
    const { error } = submitted;
    warning(`${queueId}: cannot queue: ${reason(error)}`);
    if (error instanceof CallError && error.code === "full") {
      space.full(clock.steady());
      return NO_SPACE;
    }
    const ours = !(error instanceof CallError) || error.code === "refused" || error.code === "bug";
    return ours ? PROTOCOL_ERROR : WRITE_ERROR;
  }
  const { queued, code, dsn, text, crowded } = submitted.answer;
  stopAt?.("smtpd.queued");
  if (!queued) {
    if (dsn === NO_SPACE.dsn && !crowded) space.full(clock.steady());
    return code >= 400 && code < 600 ? reply(code, dsn, text) : PROTOCOL_ERROR;
  }
  space.taken();
  messages.add();
  contentBytes.add(intake.reader.size);
  session.tally.forget();
  return reply(250, "2.0.0", `Ok: ${prefix}queued as ${queueId}`);
}

function protocol({ esmtp, tls, transaction }: Session): string {
  if (!esmtp) return "SMTP";
  return `${transaction.smtputf8 ? "UTF8SMTP" : "ESMTP"}${tls ? "S" : ""}`;
}

function head(session: Session): Uint8Array {
  const { settings, transaction, clientName, peer, helo, tls } = session;
  return utf8Bytes(received({
    helo: helo ?? "",
    clientName,
    clientAddress: peer.address,
    hostname: settings.myhostname,
    mailName: settings.mailName,
    protocol: protocol(session),
    queueId: transaction.queueId!,
    recipient: transaction.onlyRecipient,
    tls: settings.tlsReceivedHeader ? tls : undefined,
    arrived: transaction.arrived,
  }));
}

function envelope(session: Session) {
  const { transaction, clientName, peer, helo } = session;
  const { queueId, sender, arrived, smtputf8, body, ret, envid } = transaction;
  return {
    queueId: queueId!,
    sender: sender!,
    arrived,
    client: {
      name: clientName,
      address: peer.address,
      port: peer.port,
      helo: helo ?? "",
      protocol: protocol(session),
    },
    smtputf8,
    body,
    ret,
    envid,
  };
}
