/** Messages of many megabytes at a time, to a Maildir and to another server: what they cost, and whether all arrives. */

import { connect } from "node:net";
import { PeakMemory } from "../support/processes.ts";
import { System } from "../support/system.ts";
import { Sink } from "../support/sink.ts";
import { namesIn } from "../support/files.ts";
import { megabytes, type Report } from "./figures.ts";
import { Digest, LargeMessage } from "./large_content.ts";

const ROLE_MB = 300;
const ARRIVE_MS = 300_000;

export interface LargeOptions {
  /** All at the same time; the first is a single line. */
  readonly messages: number;
  readonly bytes: number;
}

export async function largeMessages(options: LargeOptions, report: Report): Promise<void> {
  const { messages: count, bytes } = options;
  const arrived = new Map<string, string>();
  await using sink = await Sink.start({ take: () => new Digest("\r\n", arrived) });
  await using system = await System.start({
    sink: `smtp:[127.0.0.1]:${sink.port}`,
    main: [
      `message_size_limit = ${bytes * 2}`,
      "virtual_mailbox_limit = 0",
      // Lines are not folded: every byte is compared.
      "smtp_line_length_limit = 0",
      `initial_destination_concurrency = ${count}`,
    ].join("\n"),
  });
  const messages = Array.from(
    { length: count },
    (_, n) => new LargeMessage(`large-${n}`, bytes, n === 0),
  );
  const peaks = new PeakMemory(system.configuration);
  const began = performance.now();
  await Promise.all(messages.map((message) => send(system.port, message)));
  const name = `${count} x ${Math.round(bytes / 1024 / 1024)} MB`;
  const seconds = () => (performance.now() - began) / 1000;
  report({ name: `${name}: all accepted after`, value: seconds(), unit: "s" });
  const directory = `${system.mail}/u1/new`;
  await system.until(
    () => arrived.size >= count && namesIn(directory).length >= count,
    ARRIVE_MS,
  );
  report({ name: `${name}: all delivered twice after`, value: seconds(), unit: "s" });
  peaks.stop();

  const relayed = messages.filter(({ id, digests }) => arrived.get(id) === digests.crlf);
  report(whole(`${name}: relayed with every byte`, relayed.length, count));
  const found = await digestsIn(directory);
  const stored = messages.filter(({ id, digests }) => found.get(id) === digests.lf);
  report(whole(`${name}: in the Maildir with every byte`, stored.length, count));
  for (const [role, kib] of [...peaks.byRole].toSorted()) {
    if (role === "bwrap") continue;
    report({
      name: `${name}: peak memory of ${role}`,
      value: megabytes(kib),
      unit: "MB",
      most: ROLE_MB,
    });
  }
}

/** Sends a message to both destinations, as fast as it is taken. */
async function send(port: number, message: LargeMessage): Promise<void> {
  const socket = connect({ port, host: "127.0.0.1" });
  const replies = socket.setEncoding("latin1")[Symbol.asyncIterator]();
  let text = "";
  const expect = async (code: string) => {
    for (;;) {
      const line = /^(\d{3}) .*\r\n/m.exec(text);
      if (line) {
        text = "";
        if (line[1] !== code) throw new Error(`expected ${code}: ${line[0]}`);
        return;
      }
      const { done, value } = await replies.next();
      if (done) throw new Error(`expected ${code}: the connection was closed`);
      text += value;
    }
  };
  const say = async (line: string, code: string) => {
    socket.write(`${line}\r\n`);
    await expect(code);
  };
  try {
    await expect("220");
    await say("EHLO large.test", "250");
    await say("MAIL FROM:<s@src.test> BODY=8BITMIME", "250");
    for (const to of ["u1@box.test", "u1@sink.test"]) await say(`RCPT TO:<${to}>`, "250");
    await say("DATA", "354");
    socket.write(message.header);
    for (const chunk of message.wire()) {
      if (!socket.write(chunk)) await new Promise((resolve) => socket.once("drain", resolve));
    }
    await expect("250");
    await say("QUIT", "221");
  } finally {
    socket.destroy();
  }
}

/** Digests of a Maildir's messages by their ids. */
async function digestsIn(directory: string): Promise<Map<string, string>> {
  const digests = new Map<string, string>();
  for (const name of namesIn(directory)) {
    const digest = new Digest("\n", digests);
    using file = await Deno.open(`${directory}/${name}`);
    for await (const chunk of file.readable) digest.push(chunk);
    digest.end();
  }
  return digests;
}

function whole(name: string, value: number, least: number) {
  return { name, value, unit: "messages", least };
}
