/** What a hostile client says: valid transactions, commands in any order, damage and noise, as text of one char a byte. */

import type { Random } from "../support/random.ts";

export const ID_HEADER = "X-Fuzz-Id";
export const SUM_HEADER = "X-Fuzz-Sum";

const COMMANDS = [
  "EHLO client.test",
  "HELO client.test",
  "EHLO",
  "MAIL FROM:<s@src.test>",
  "MAIL FROM:<>",
  "MAIL FROM:<s@src.test> SIZE=99999999999",
  "MAIL FROM:<s@src.test> BODY=8BITMIME ENVID=x RET=HDRS",
  "MAIL FROM:<s@src.test> __proto__=1",
  "MAIL FROM:<@a.test,@b.test:s@src.test>",
  "MAIL FROM:<j\xc3\xbcrgen@src.test> SMTPUTF8",
  "MAIL FROM:<j\xfcrgen@src.test>",
  "MAIL FROM:<__proto__@constructor.test>",
  "RCPT TO:<r1@sink.test>",
  "RCPT TO:<r2@sink.test>",
  "RCPT TO:<r3@SINK.test>",
  "RCPT TO:<toString@sink.test>",
  "RCPT TO:<r4@sink.test> NOTIFY=NEVER",
  "RCPT TO:<r4@sink.test> ORCPT=x",
  "RCPT TO:<nobody@box.test>",
  "RCPT TO:<>",
  "RCPT TO:<a\0b@sink.test>",
  "RCPT TO: r5@sink.test",
  "DATA",
  "DATA now",
  "BDAT 0",
  "BDAT 0 LAST",
  "BDAT 5\r\nabcde",
  "BDAT 7 LAST\r\n\r\n.\r\nab",
  "BDAT 4 last\r\n\n.\r\n",
  "RSET",
  "NOOP",
  "VRFY r1@sink.test",
  "VRFY j\xc3\xbcrgen@sink.test",
  "ETRN sink.test",
  "HELP",
  "AUTH PLAIN AGEAYg==",
  "STARTTLS",
  "XCLIENT ADDR=192.0.2.1",
  "Subject: I am no command",
  "",
  ".",
  "..",
  "m\xc4\xb1il from:<s@src.test>",
  "x".repeat(3000),
];
/** What might be taken for the end of data, or hide it. */
export const WRONG_ENDS = [
  "\n.\n",
  "\n.\r\n",
  "\r\n.\n",
  "\r.\r",
  "\r.\r\n",
  "\r\n.\r",
  "\r\n.\r\r\n",
  "\r\n\0.\r\n",
  "\r\n.\0\r\n",
  "\r\n..\r\n",
  "\r\r\n.\r\r\n",
  "\r\n. \r\n",
];
const SMUGGLED =
  "MAIL FROM:<evil@src.test>\r\nRCPT TO:<evil@sink.test>\r\nDATA\r\nSubject: smuggled\r\n\r\n";

/** A checksum of a body; enough to see that a byte is missing or changed (FNV-1a). */
export function sum(body: string): string {
  let hash = 0x811c9dc5;
  for (let i = 0; i < body.length; i++) {
    hash = Math.imul(hash ^ body.charCodeAt(i), 0x01000193) >>> 0;
  }
  return hash.toString(16);
}

/** What each body has as its first line, for the checksum to follow. */
function tracked(id: string, body: string): string {
  return `${ID_HEADER}: ${id}\r\n${SUM_HEADER}: ${sum(body)}\r\n\r\n${body}`;
}

/** A body of CRLF lines, each of them something that has gone wrong somewhere. */
function body(random: Random): string {
  const lines = Array.from({ length: random.below(8) }, () =>
    random.pick([
      "text",
      "",
      ".",
      ".dot",
      "..",
      "From here",
      "QUIT",
      "RSET",
      random.bytes(random.below(60)).replace(/[\r\n]/g, "."),
      "y".repeat(random.below(5000)),
    ]));
  return lines.map((line) => `${line}\r\n`).join("");
}

/** A transaction that must be taken when it begins outside another one. */
export function transaction(random: Random, id: string, to: readonly string[]): string {
  const content = tracked(id, body(random));
  const envelope = `MAIL FROM:<s-${id}@src.test>\r\n` +
    to.map((each) => `RCPT TO:<${each}>\r\n`).join("");
  if (random.chance(0.6)) {
    return `${envelope}DATA\r\n${content.replace(/^\./gm, "..")}.\r\n`;
  }
  let chunks = "", at = 0;
  while (at < content.length) {
    const chunk = content.slice(at, at + 1 + random.below(content.length));
    at += chunk.length;
    chunks += `BDAT ${chunk.length}${at === content.length ? " LAST" : ""}\r\n${chunk}`;
  }
  return envelope + chunks;
}

/** What leads to a handshake: a transaction may be open, and commands may follow that an attacker has put there. */
export function intoTls(random: Random, id: string): string {
  const open = random.chance(0.5)
    ? "MAIL FROM:<evil@src.test>\r\nRCPT TO:<evil@sink.test>\r\n"
    : "";
  const behind = random.chance(0.3)
    ? random.pick(["RSET\r\n", "\r\n", "x", SMUGGLED, transaction(random, id, ["evil@sink.test"])])
    : "";
  return `EHLO client.test\r\n${open}STARTTLS\r\n${behind}`;
}

/** What is no handshake: noise, the start of a real one, commands in the clear. */
export function breakTls(random: Random): string {
  return random.pick([
    "",
    random.bytes(1 + random.below(300)),
    `\x16\x03\x01${random.bytes(random.below(100))}`,
    "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "\x15\x03\x01\x00\x02\x02\x28",
    `NOOP\r\n${SMUGGLED}x\r\n.\r\nQUIT\r\n`,
  ]);
}

/** A session's bytes up to where the client begins to behave. */
export function script(random: Random, id: string): string {
  let text = random.chance(0.8) ? "EHLO client.test\r\n" : "";
  const parts = 1 + random.below(12);
  for (let part = 0; part < parts; part++) {
    const kind = random.fraction();
    if (kind < 0.45) text += `${random.pick(COMMANDS)}\r\n`;
    else if (kind < 0.65) text += transaction(random, `${id}.${part}`, someone(random));
    else if (kind < 0.75) text += smuggling(random, `${id}.${part}`);
    else if (kind < 0.85) {
      text += damaged(random, transaction(random, `${id}.${part}`, someone(random)));
    } else if (kind < 0.95) text += damaged(random, `${random.pick(COMMANDS)}\r\n`);
    else text += `${random.bytes(random.below(200))}\r\n`;
  }
  return text;
}

/** Transactions without any fault, cut off somewhere. */
export function cutOff(random: Random, id: string): string {
  const parts = Array.from(
    { length: 1 + random.below(3) },
    (_, part) => transaction(random, `${id}.${part}`, someone(random)),
  );
  const text = `EHLO client.test\r\n${parts.join("")}`;
  return text.slice(0, random.below(text.length + 1));
}

function someone(random: Random): string[] {
  return Array.from({ length: 1 + random.below(3) }, (_, n) => `r${n + 1}@sink.test`);
}

/** Content in which another transaction hides behind what is no end of data. */
function smuggling(random: Random, id: string): string {
  const body = `hidden${random.pick(WRONG_ENDS)}${SMUGGLED}x\r\n`;
  return `MAIL FROM:<s-${id}@src.test>\r\nRCPT TO:<r1@sink.test>\r\nDATA\r\n` +
    `${tracked(id, body)}.\r\n`;
}

/** Takes out, puts in, doubles or changes a few bytes. */
function damaged(random: Random, text: string): string {
  for (let times = 1 + random.below(3); times > 0; times--) {
    const at = random.below(text.length), end = at + 1 + random.below(10);
    const insert = random.pick([
      "",
      text.slice(at, end),
      random.pick(WRONG_ENDS),
      random.bytes(1 + random.below(4)),
      "\r",
      "\n",
      "\0",
    ]);
    text = text.slice(0, at) + insert + text.slice(random.chance(0.5) ? at : end);
  }
  return text;
}
