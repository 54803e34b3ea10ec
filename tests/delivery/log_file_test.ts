/** With a log file and table files: what every role on a message's way has to say is in the one, what they ask for in the other. */

import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { isThere } from "../../policies/bwrap.ts";
import { client } from "../../shared/ipc/client.ts";
import { logServiceOf, socketPath } from "../../shared/layout.ts";
import { roleLogService } from "../../shared/protocols/log.ts";
import { Sink } from "../support/sink.ts";
import { freePort, System } from "../support/system.ts";

/** More Received lines than a message may have: it goes round in circles. */
const LOOPING = "Received: by loop.test; Mon, 1 Jan 2024 00:00:00 +0000\n".repeat(60);

function logsTo(log: string): string {
  return `maillog_file = ${log}\n`;
}

/** Starts a system that writes its log to a file, and says to which. */
async function startLogging(
  system: System,
  { main = "", ...others }: Parameters<System["configure"]>[0] = {},
): Promise<string> {
  const log = `${system.directory}/log/maillog`;
  await system.configure({ ...others, main: logsTo(log) + main });
  await system.start();
  return log;
}

Deno.test("a submission, its delivery, a refusal and its report are in the log file", async () => {
  await using sink = await Sink.start({
    answer: (line) => line.startsWith("RCPT") ? "550 5.1.1 nobody here" : undefined,
  });
  await using system = await System.prepare();
  const mailboxes = `${system.configuration}/mailboxes`;
  await Deno.writeTextFile(mailboxes, "u1@box.test u1/\nu2@box.test u2/\n");
  const log = await startLogging(system, {
    sink: `smtp:[127.0.0.1]:${sink.port}`,
    main: `virtual_mailbox_maps = texthash:${mailboxes}`,
  });
  const logged = (line: RegExp) => system.until(() => line.test(Deno.readTextFileSync(log)));
  const submit = (to: string, content: string) =>
    system.command(["sendmail", "-f", "u2@box.test", to], content);

  await submit("u1@box.test", "Subject: hello\n\nhello\n");
  await logged(/postfix\/pickup\[\d+\]: \w+: uid=\d+ from=<u2@box\.test>/);
  await logged(/postfix\/virtual\[\d+\]: \w+: to=<u1@box\.test>.* status=sent/);

  await submit("nobody@sink.test", "Subject: refused\n\nhello\n");
  await logged(/postfix\/smtp\[\d+\]: \w+: to=<nobody@sink\.test>.* dsn=5\.1\.1, status=bounced/);
  await logged(/postfix\/bounce\[\d+\]: \w+: sender non-delivery notification/);
  await system.until(() => system.maildir("u2").length === 1);

  // Refused before it is queued: pickup itself has it reported.
  await submit("u1@box.test", `${LOOPING}Subject: round\n\nhello\n`);
  await system.until(() => system.maildir("u2").length === 2);
  assertMatch(system.maildir("u2").join("\n"), /too many hops/i);
});

Deno.test("error, retry and discard have lines of their own", async (t) => {
  await using system = await System.prepare();
  const main =
    "transport_maps = inline:{ {err.test=error:5.1.2 no}, {later.test=retry:4.1.2 later}, " +
    "{gone.test=discard:gone} }";
  const log = await startLogging(system, { main });
  const haveLines = async (process: string) => {
    const from = Deno.readTextFileSync(log).length;
    for (const [domain, program, what] of DELIVERED_BY_QMGR) {
      await system.command(["sendmail", "-f", "u1@box.test", `a@${domain}`], "Subject: x\n\nx\n");
      const is = (line: string) => line.includes(`to=<a@${domain}>`) && line.includes(what);
      const lines = () => Deno.readTextFileSync(log).slice(from).split("\n");
      await system.until(() => lines().some(is));
      const name = process.replace("PROGRAM", `postfix/${program}`);
      assertStringIncludes(lines().find(is)!, name);
    }
  };
  await t.step("in a text log", () => haveLines("PROGRAM["));
  await t.step("in a JSON log", async () => {
    await system.configure({ main: `${logsTo(log)}${main}\nmaillog_format = json` });
    await system.command(["reload"]);
    await haveLines('"process":"PROGRAM"');
  });
});

/** Where mail goes, whose line Postfix's log would have, and what is in it. */
const DELIVERED_BY_QMGR = [
  ["err.test", "error", "dsn=5.1.2, status=bounced (no)"],
  ["later.test", "error", "dsn=4.1.2, status=deferred (later)"],
  ["gone.test", "discard", "dsn=2.0.0, status=sent (gone)"],
] as const;

/** The order in which Postfix says what happens to a message, whoever says it. */
const ORDER = [/ client=/, / message-id=/, / from=.*queue active/, / status=sent/, / removed/];
/** Rounds of mail, where a machine is too busy for the first five. */
const MOST_ROUNDS = 20;

Deno.test("the lines of each message are in the order in which things happened", async () => {
  await using sink = await Sink.start();
  await using system = await System.prepare();
  const log = await startLogging(system, {
    sink: `smtp:[127.0.0.1]:${sink.port}`,
    main: "maillog_format = json",
  });
  const whole = ORDER.map((_, n) => n);
  let count = 0, inOrder = 0;
  // Lines wait a fifth of a second for those of a role that the machine lets wait longer now and then.
  for (let round = 0; round < 5 || inOrder <= count / 2 && round < MOST_ROUNDS; round++) {
    const to = (n: number) => n % 2 ? "u1@box.test" : "u1@sink.test";
    const ids = await Promise.all(Array.from({ length: 10 }, (_, n) => system.send(to(n))));
    count += ids.length;
    let text = "";
    await system.until(() => {
      text = Deno.readTextFileSync(log);
      return text.endsWith("\n") && text.split(': removed"').length > count;
    });
    const lines: { time: string; text: string }[] = text.trimEnd().split("\n")
      .map((line) => JSON.parse(line));
    for (const id of ids) {
      const own = lines.filter(({ text }) => text.includes(`${id}: `));
      const steps = own.map(({ text }) => ORDER.findIndex((each) => each.test(text)));
      assertEquals(steps.toSorted(), whole, id);
      const told = whole.map((step) => own[steps.indexOf(step)]!.time);
      assertEquals(told, told.toSorted(), id);
      if (steps.join() === whole.join()) inOrder++;
    }
  }
  assert(inOrder > count / 2, `${inOrder} of ${count} are in order`);
});

Deno.test("postsuper leaves its trace in the log file", async () => {
  await using system = await System.prepare();
  const log = await startLogging(system);
  const id = await system.send("waits@sink.test");
  await system.until(async () => (await system.listing())[0]?.queue_name === "deferred");
  await system.command(["postsuper", "-h", id]);
  await system.command(["postsuper", "-d", "ALL"]);
  const text = Deno.readTextFileSync(log);
  assertMatch(text, new RegExp(`postfix/postsuper\\[\\d+\\]: ${id}: placed on hold\\n`));
  assertMatch(text, /postfix\/postsuper\[\d+\]: Deleted: 1 message\n/);
  // Whoever says it, it is this host that says it: mx.postern.test.
  for (const line of text.trimEnd().split("\n")) {
    assertMatch(line, /^\w+ [ \d]\d [\d:]+ mx postfix\//);
  }
});

Deno.test("whatever a role says, it says in its own name and at its own time, in one line", async () => {
  await using system = await System.prepare();
  const log = await startLogging(system, {
    master: `127.0.0.1:${await freePort()} inet n - n - - smtpd -o syslog_name=postfix/submission`,
  });
  const forged = "Nov 21 01:02:03 mx postfix/smtp[4711]: 4jWb0l1: to=<a@b>, status=sent (ok)";
  for (const process of ["postfix/cleanup", "postfix/submission/smtpd"]) {
    const name = logServiceOf(process);
    const caller = client(roleLogService(name), { path: socketPath(system.queue, name) });
    const spoken = { pid: 7, severities: "iw", fields: [], since: 0, after: [0, 1_500_000] };
    await caller.call("write", { ...spoken, lines: [`x\n${forged}`, "it breaks"] });
    const lying = { ...spoken, process: "postfix/smtp", lines: ["a", "b"] };
    await assertRejects(() => caller.call("write", lying));
    await assertRejects(() => caller.call("write", { ...spoken, lines: ["one"] }));
    const backwards = { ...spoken, lines: ["a", "b"], after: [9e15, 0] };
    await assertRejects(() => caller.call("write", backwards));
    caller.close();
    const epoch = /^(?:Dec 31|Jan {2}1) \d\d:\d\d:/;
    const lines = Deno.readTextFileSync(log).split("\n").filter((line) => epoch.test(line))
      .map((line) => line.replace(epoch, "")).filter((line) => line.includes(`${process}[7]: `));
    assertEquals(lines, [
      `00 mx ${process}[7]: x?${forged}`,
      `01 mx ${process}[7]: warning: it breaks`,
    ]);
  }
});

Deno.test("what a role writes to its outputs reaches neither, and the log only as what it wrote", async () => {
  await using system = await System.prepare();
  const log = await startLogging(system);
  const [pid] = system.processes("cleanup");
  const forged = "Nov 21 01:02:03 mx postfix/smtp[4711]: 4jWb0l1: to=<a@b>, status=sent (ok)";
  for (const output of [1, 2]) {
    Deno.writeTextFileSync(`/proc/${pid}/fd/${output}`, `\x1b[2J${forged} ${output}\n`);
  }
  await system.until(() => Deno.readTextFileSync(log).includes("4711"));
  const lines = Deno.readTextFileSync(log).split("\n").filter((line) => line.includes("4711"));
  assertEquals(lines.length, 1);
  const said = lines[0]!.slice(lines[0]!.indexOf("postfix/master"));
  assertMatch(
    said,
    /^postfix\/master\[\d+\]: warning: process cleanup pid \d+ on standard error: \?\[2JNov.* 2$/,
  );
  assertEquals(system.output.includes("4711"), false);
});

/** How somebody moves the log away, as logrotate does with `create`, whose new file is root's, and with `nocreate`. */
const ROTATIONS: Readonly<Record<string, (log: string, old: string) => void>> = {
  "with a new one in its place": (log, old) => {
    Deno.renameSync(log, old);
    Deno.writeTextFileSync(log, "", { mode: 0o640 });
  },
  "with none in its place": (log, old) => Deno.renameSync(log, old),
};

Deno.test("the log that was moved away is followed by another, and no line is lost", async (t) => {
  await using system = await System.prepare();
  const log = await startLogging(system);
  for (const [how, rotate] of Object.entries(ROTATIONS)) {
    await t.step(how, async () => {
      const old = `${log}.${how}`;
      const ids: string[] = [];
      const send = async () => void ids.push(await system.send("u1@box.test"));
      const text = (path: string) => isThere(path) ? Deno.readTextFileSync(path) : "";
      const removed = (path: string) => ids.filter((id) => text(path).includes(`${id}: removed`));
      await send();
      await system.until(() => removed(log).length === 1);
      rotate(log, old);
      await system.until(async () => {
        await send();
        return text(log).includes("the log was moved away") && removed(log).length > 0;
      });
      const all = () => [old, log].flatMap(removed).toSorted().join();
      await system.until(() => all() === ids.toSorted().join());
      await system.until(() => system.processes("postlogd").length === 1);
    });
  }
});
