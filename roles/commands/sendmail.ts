/**
 * `sendmail`: hand a message in. It is written to the maildrop, where pickup finds it, so it works while the system is
 * down. Exit codes are sysexits: 64 for a wrong command line, 65 or 69 for mail that can never be taken, else 75.
 */

import { userInfo } from "node:os";
import { isAscii } from "../../shared/bytes.ts";
import { ConfigError, EX, reason } from "../../shared/errors.ts";
import { client } from "../../shared/ipc/client.ts";
import { maildropDirectory, socketPath } from "../../shared/layout.ts";
import { MAX_ADDRESS, MAX_RECIPIENTS } from "../../shared/mail/envelope.ts";
import { addressList, isNullAddress } from "../../shared/maildrop/address_list.ts";
import { Drop } from "../../shared/maildrop/drop.ts";
import {
  MAX_RECIPIENTS_BYTES,
  recipientBytes,
  SubmissionWriter,
  type Submitted,
} from "../../shared/maildrop/file_format.ts";
import type { Values } from "../../shared/parameters/declare.ts";
import { sendmailParameters } from "../../shared/parameters/pickup.ts";
import { bracketed } from "../../shared/log/lines.ts";
import { printable } from "../../shared/log/printable.ts";
import { reply } from "../../shared/smtp/reply.ts";
import { FILE_TOO_BIG, WRITE_ERROR } from "../../shared/smtp/standard_replies.ts";
import { pickupService } from "../../shared/protocols/pickup.ts";
import { fullName } from "./full_name.ts";
import { type CommandIo, loadForCommand } from "./io.ts";
import { mailq } from "./mailq.ts";
import { postqueue } from "./postqueue.ts";
import { smtpSession } from "./sendmail_smtp.ts";
import { Incomplete } from "./sendmail_smtp_input.ts";
import { HeaderRecipients, MAX_HEADER_BYTES } from "./sendmail_header.ts";
import { messageLines } from "./sendmail_message.ts";
import { parseSendmail, type SendmailOptions, UsageError } from "./sendmail_options.ts";

type Params = Values<typeof sendmailParameters>;

/** sendmail does not wait longer for pickup: it finds the file anyway. */
const WAKE_MS = 2000;
/** The message goes to the file in steps of this. */
const STEP_BYTES = 64 * 1024;
/** So much of an address that is refused is shown. */
const SHOWN_CHARS = 100;

/** Tables are read from their text: where others make a database, there is nothing to do, and that is no failure. */
const NO_ALIASES = "newaliases: no alias database to make: tables are read from their text; " +
  "/etc/aliases is not read yet\n";

const latin1 = new TextDecoder("latin1");
const utf8 = new TextDecoder();

/** Nothing was saved; the text says why. */
class NotSaved extends Error {
  constructor(message: string, readonly code: number = EX.DATAERR) {
    super(message);
  }
}
class TooBig extends NotSaved {}

/** Does what a program that calls sendmail expects (reference 1.8). */
export async function sendmail(args: string[], io: CommandIo): Promise<number> {
  let options: SendmailOptions;
  try {
    options = parseSendmail(args);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    io.err(`sendmail: ${error.message}\nsendmail: fatal: usage: sendmail [options]\n`);
    return EX.USAGE;
  }
  for (const warning of options.warnings) io.err(`sendmail: warning: ${warning}\n`);
  const config = options.configDirectory === undefined ? [] : ["-c", options.configDirectory];
  switch (options.mode) {
    case "list":
      return await mailq(config, io);
    case "flush":
      return await postqueue([...config, "-f"], io);
    case "flush id":
      return await postqueue([...config, "-i", options.argument], io);
    case "flush site":
      return await postqueue([...config, "-s", options.argument], io);
    case "unsupported":
      io.err(`sendmail: fatal: not supported: ${options.argument}\n`);
      return EX.USAGE;
    case "aliases":
      io.out(NO_ALIASES);
      return EX.OK;
    case "nothing":
      return EX.OK;
    case "smtp":
      return await configured(options, io, (params) => speakSmtp(options, params, io));
    case "submit":
    case "verify":
      return await configured(options, io, async (params) => {
        await wake(params.queueDirectory, await save(options, params, io));
      });
  }
}

/** Does what needs the configuration; the exit code. */
async function configured(
  options: SendmailOptions,
  io: CommandIo,
  work: (params: Params) => Promise<void>,
): Promise<number> {
  try {
    const configuration = loadForCommand(io, options.configDirectory ?? io.configDirectory);
    // Trouble elsewhere in the configuration does not concern us: the message is saved.
    if (configuration.unreadable) throw new ConfigError(configuration.unreadable);
    await work(configuration.typed(sendmailParameters));
    return EX.OK;
  } catch (error) {
    if (error instanceof ConfigError) io.err(`sendmail: fatal: ${error.message}\n`);
    else io.err(`sendmail: fatal: ${userName(io)}(${Deno.uid()}): ${reason(error)}\n`);
    return error instanceof NotSaved ? error.code : EX.TEMPFAIL;
  }
}

/** Writes the message to the maildrop; answers its file's name. Throws when nothing was saved. */
async function save(options: SendmailOptions, params: Params, io: CommandIo): Promise<string> {
  if (!options.fromHeader && !options.recipients.length) {
    throw new NotSaved(
      "Recipient addresses must be specified on the command line or via the -t option",
      EX.USAGE,
    );
  }
  const lines = message(options, params, io);
  const header = options.fromHeader ? await readHeader(lines) : { bytes: [], recipients: [] };
  const recipients = [...new Set([...options.recipients, ...header.recipients])];
  if (!recipients.length) {
    throw new NotSaved("No recipient addresses found in message header", EX.USAGE);
  }
  const sender = toSender(options.sender, io);
  const envelope = toEnvelope(options, sender, recipients, io);
  const file = await write(envelope, header.bytes, lines, params);
  if (options.verbose) {
    io.err(`sendmail: saved as ${file}, from ${bracketed(sender)} to ${recipients.length}\n`);
  }
  if (options.trace && sender) {
    io.out(`Mail Delivery Status Report will be mailed to ${bracketed(sender)}.\n`);
  } else if (options.trace) {
    io.err("sendmail: warning: the sender is null: nobody gets the Mail Delivery Status Report\n");
  }
  return file;
}

/** The lines of standard input; of a message that is only verified nobody reads one. */
function message(
  options: SendmailOptions,
  { fixLineEndings }: Params,
  io: CommandIo,
): AsyncGenerator<Uint8Array> {
  const input = options.mode === "verify" ? probe() : io.input;
  return messageLines(input ?? new ReadableStream(), { ...options, fixLineEndings });
}

async function* probe(): AsyncGenerator<Uint8Array> {
  yield await Promise.resolve(new TextEncoder().encode("Subject: probe\n\n"));
}

/** The message into a file of the maildrop; its name. Throws when nothing was saved. */
async function write(
  envelope: Submitted,
  header: readonly Uint8Array[],
  lines: AsyncIterable<Uint8Array>,
  { queueDirectory, messageSizeLimit }: Params,
): Promise<string> {
  const drop = new Drop(maildropDirectory(queueDirectory), Deno.uid());
  try {
    const out = new Steps((bytes) => writer.content(bytes), messageSizeLimit);
    const writer = new SubmissionWriter((bytes) => drop.write(bytes), envelope);
    for (const part of header) out.write(part);
    for await (const part of lines) out.write(part);
    out.flush();
    writer.seal();
    return drop.commit();
  } catch (error) {
    drop.abandon();
    throw error;
  }
}

/** -bs: each message of the session is saved like one on standard input. */
async function speakSmtp(options: SendmailOptions, params: Params, io: CommandIo): Promise<void> {
  const { myhostname: hostname, mailName, messageSizeLimit, queueDirectory } = params;
  await smtpSession(io.input ?? new ReadableStream(), {
    hostname,
    mailName,
    messageSizeLimit,
    out: (text) => io.out(text),
    async submit({ sender, recipients, smtputf8 }, content) {
      try {
        // A dot has been read, and CRLF may be LF: this is a pipe.
        const lines = messageLines(content, { fixLineEndings: "always", dotEnds: false });
        const to = [...new Set(recipients)];
        const envelope = toEnvelope({ ...options, smtputf8, fullName: "" }, sender, to, io);
        const file = await write(envelope, [], lines, params);
        await wake(queueDirectory, file);
        return reply(250, "2.0.0", `Ok: saved as ${file}`);
      } catch (error) {
        if (error instanceof TooBig) return FILE_TOO_BIG;
        if (error instanceof Incomplete) throw error;
        io.err(`sendmail: warning: ${reason(error)}\n`);
        return WRITE_ERROR;
      }
    },
  });
}

interface Header {
  readonly bytes: Uint8Array[];
  readonly recipients: string[];
}

/** The message up to the end of its header: its recipients have to be known before the first byte is written. */
async function readHeader(lines: AsyncGenerator<Uint8Array>): Promise<Header> {
  const recipients = new HeaderRecipients();
  const bytes: Uint8Array[] = [];
  let line = "", total = 0;
  for (;;) {
    // Not `for await`: that would close the generator, and the body is still in it.
    const { value: part, done } = await lines.next();
    if (done) break;
    bytes.push(part.slice());
    total += part.length;
    if (total > MAX_HEADER_BYTES) throw new NotSaved("message header too long");
    if (latin1.decode(part) !== "\r\n") line += utf8.decode(part);
    else if (recipients.take(line)) line = "";
    else break;
  }
  return { bytes, recipients: recipients.addresses };
}

function toEnvelope(
  options: SendmailOptions,
  sender: string,
  recipients: readonly string[],
  io: CommandIo,
): Submitted {
  mustFit("sender", sender);
  for (const recipient of recipients) mustFit("recipient", recipient);
  const bytes = recipients.reduce((sum, each) => sum + recipientBytes(each), 0);
  if (recipients.length > MAX_RECIPIENTS || bytes > MAX_RECIPIENTS_BYTES) {
    throw new NotSaved(`too many recipients: ${recipients.length}`);
  }
  const all = [sender, ...recipients].join("");
  return {
    sender,
    recipients: [...recipients],
    fullName: fullName(options.fullName, io),
    notify: options.notify,
    ret: options.ret,
    envid: options.envid,
    smtputf8: options.smtputf8 || !isAscii(all),
    gateway: options.gateway,
    ...(options.trace ? { trace: options.trace } : {}),
    nonce: crypto.getRandomValues(new Uint8Array(16)).toHex(),
  };
}

/** Throws for an address that no submission has room for. */
function mustFit(what: string, address: string): void {
  if (address.length <= MAX_ADDRESS) return;
  const shown = printable(address.slice(0, SHOWN_CHARS));
  throw new NotSaved(`${what} address too long: ${shown}...`);
}

/** The sender of -f, else whoever calls. Pickup logs the user who owns the file, whatever is claimed here. */
function toSender(given: string | undefined, io: CommandIo): string {
  if (given === undefined) return userName(io);
  const addresses = addressList(given);
  const plain = addresses.length === 1 || isNullAddress(given);
  if (!plain) {
    io.err(`sendmail: warning: -f option specified malformed sender: ${printable(given)}\n`);
  }
  return addresses[0] ?? "";
}

/** Who calls, by the system's list of users: the environment may say anything, or nothing. */
function userName(io: CommandIo): string {
  const name = io.user ?? systemUser() ?? io.env("LOGNAME") ?? io.env("USER") ?? "";
  return addressList(name)[0] ?? `uid-${Deno.uid()}`;
}

function systemUser(): string | undefined {
  try {
    return userInfo().username;
  } catch {
    return undefined; // Not in the list.
  }
}

/** Joins small parts into steps, and keeps the message within its limit. */
class Steps {
  #buffer = new Uint8Array(STEP_BYTES);
  #used = 0;
  #total = 0;

  constructor(readonly to: (bytes: Uint8Array) => void, readonly limit: number) {}

  write(bytes: Uint8Array): void {
    this.#total += bytes.length;
    if (this.#total > this.limit) {
      throw new TooBig("message file too big", EX.UNAVAILABLE);
    }
    if (this.#used + bytes.length > STEP_BYTES) this.flush();
    if (bytes.length > STEP_BYTES) return this.to(bytes);
    this.#buffer.set(bytes, this.#used);
    this.#used += bytes.length;
  }

  flush(): void {
    if (this.#used) this.to(this.#buffer.subarray(0, this.#used));
    this.#used = 0;
  }
}

/** Tells pickup; that it is not there is no reason to complain. */
async function wake(queueDirectory: string, file: string): Promise<void> {
  const pickup = client(pickupService, { path: socketPath(queueDirectory, "pickup") });
  let timer: ReturnType<typeof setTimeout> | undefined;
  const waited = new Promise<void>((resolve) => (timer = setTimeout(resolve, WAKE_MS)));
  await Promise.race([pickup.call("wake", { file }).then(() => {}, () => {}), waited]);
  clearTimeout(timer);
  pickup.close();
}
