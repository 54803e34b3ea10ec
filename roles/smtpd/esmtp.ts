/** The parameters of MAIL and RCPT (RFC 1870 SIZE, 6152 BODY, 6531 SMTPUTF8, 3461 RET, ENVID, NOTIFY, ORCPT). */

import { MAX_ADDRESS, MAX_ENVID, type Recipient } from "../../shared/mail/envelope.ts";
import { upperCase } from "../../shared/smtp/keyword.ts";
import { type Reply, reply } from "../../shared/smtp/reply.ts";
import type { Settings } from "./settings.ts";
import type { Transaction } from "./transaction.ts";

/** More parameters than this are nobody's. */
const MAX_PARAMETERS = 100;
/** xtext of RFC 3461 4. */
const XTEXT = /^([!-*,-<>-~]|\+[0-9A-F]{2})*$/;
/** What xtext may not stand for where people will read it: controls, and all beyond ASCII. */
const HIDDEN = /\+([01][0-9A-F]|7F|[89A-F])/;
/** utf-8-addr-xtext and -unitext of RFC 6533 3, loosely; a backslash only begins `\x{...}`. */
const UTF8_XTEXT = /^([!-*,-<>-[\]-~\u00a0-\u{10ffff}]|\\x\{[0-9A-F]{1,6}\}|\+[0-9A-F]{2})*$/u;

const DSN_DISABLED = reply(501, "5.7.1", "DSN support is disabled");
const bad = (text: string) => reply(501, "5.5.4", text);
const TOO_MANY = bad("Too many parameters");

/** Reads the parameters of MAIL into the transaction; the reply says what is wrong. */
export function mailParameters(
  text: string,
  transaction: Transaction,
  settings: Settings,
): Reply | undefined {
  const parameters = split(text);
  if (parameters.length > MAX_PARAMETERS) return TOO_MANY;
  for (const parameter of parameters) {
    const { name, value } = parameter;
    if (name === "BODY" && /^(7BIT|8BITMIME)$/i.test(value)) {
      transaction.body = value[0] === "8" ? "8bit" : "7bit";
    } else if (parameter.text.length === name.length) {
      // What follows has a value, if only an empty one.
      if (name !== "SMTPUTF8" || !offers(settings, "smtputf8")) return unsupported(parameter.text);
      transaction.smtputf8 = true;
    } else if (name === "SIZE") {
      if (!/^[0-9]+$/.test(value)) return bad("Bad message size syntax");
      transaction.declaredSize = Number(value);
    } else if (name === "RET") {
      const word = upperCase(value);
      if (settings.discarded.has("dsn")) return DSN_DISABLED;
      if (transaction.ret || (word !== "FULL" && word !== "HDRS")) {
        return bad("Bad RET parameter syntax");
      }
      transaction.ret = word;
    } else if (name === "ENVID") {
      if (settings.discarded.has("dsn")) return DSN_DISABLED;
      const envid = withoutEquals(value);
      const fits = envid && envid.length <= MAX_ENVID && XTEXT.test(envid) && !HIDDEN.test(envid);
      if (transaction.envid || !fits) return bad("Bad ENVID parameter syntax");
      transaction.envid = envid;
    } else if (name !== "AUTH") return unsupported(parameter.text);
    // Who submitted the message is believed of nobody (RFC 4954 5), and nothing is done with it.
  }
  return undefined;
}

/** What RCPT may ask for its recipient. */
export interface RecipientOptions {
  orcpt: string;
  notify: Recipient["notify"];
}

/** Reads the parameters of RCPT into `recipient`; the reply says what is wrong. */
export function recipientParameters(
  text: string,
  recipient: RecipientOptions,
  settings: Settings,
): Reply | undefined {
  const parameters = split(text);
  if (parameters.length > MAX_PARAMETERS) return TOO_MANY;
  for (const { name, value, text: parameter } of parameters) {
    const known = name === "NOTIFY" || name === "ORCPT";
    if (!known || parameter.length === name.length) return unsupported(parameter);
    if (settings.discarded.has("dsn")) return DSN_DISABLED;
    if (name === "NOTIFY") {
      const words = notifyWords(value);
      if (!words || recipient.notify.length) return bad("Error: Bad NOTIFY parameter syntax");
      recipient.notify = words;
    } else {
      const orcpt = withoutEquals(value);
      if (recipient.orcpt || !isOrcpt(orcpt)) return bad("Error: Bad ORCPT parameter syntax");
      recipient.orcpt = orcpt;
    }
  }
  return undefined;
}

function offers(settings: Settings, keyword: string): boolean {
  return settings.smtputf8Enable && !settings.discarded.has(keyword);
}

function unsupported(text: string): Reply {
  return reply(555, "5.5.4", `Unsupported option: ${text}`);
}

function split(text: string): { name: string; value: string; text: string }[] {
  return text.split(/[ \t]+/, MAX_PARAMETERS + 1).map((text) => {
    const equals = text.indexOf("=");
    const name = equals < 0 ? text : text.slice(0, equals);
    return { name: upperCase(name), value: equals < 0 ? "" : text.slice(equals + 1), text };
  });
}

/** NEVER alone, or any of the others (RFC 3461 4.1); words said twice and commas too many do no harm. */
function notifyWords(value: string): Recipient["notify"] | undefined {
  const words = [...new Set(upperCase(value).split(",").filter(Boolean))];
  const known = words.every((word) => /^(NEVER|SUCCESS|FAILURE|DELAY)$/.test(word));
  const alone = !words.includes("NEVER") || words.length === 1;
  return words.length && known && alone ? words as Recipient["notify"] : undefined;
}

/** As xtext has it: some clients leave `=` as it is, and some servers refuse that. */
function withoutEquals(value: string): string {
  return value.replaceAll("=", "+3D");
}

/** `rfc822;user+2Bx@example.com` (RFC 3461 4.2). */
function isOrcpt(value: string): boolean {
  const semicolon = value.indexOf(";");
  const type = value.slice(0, semicolon), address = value.slice(semicolon + 1);
  if (semicolon < 1 || !address || value.length > MAX_ADDRESS) return false;
  return /^[A-Za-z0-9-]{1,64}$/.test(type) &&
    (/^utf-8$/i.test(type) ? UTF8_XTEXT : XTEXT).test(address);
}
