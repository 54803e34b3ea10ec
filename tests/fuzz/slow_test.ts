/** Clients that are slow in every phase: their time ends, and others do not wait for them. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { connect } from "node:net";
import { peakKib } from "../support/processes.ts";
import { System } from "../support/system.ts";

/** What stress makes of the defaults, shorter still. */
const MAIN = `
smtpd_timeout = 2s
smtpd_per_request_deadline = yes
smtpd_min_data_rate = 500
smtpd_client_connection_count_limit = 0
smtpd_forbid_unauth_pipelining = no
`;
const ENVELOPE = "MAIL FROM:<s@src.test>\r\nRCPT TO:<u1@box.test>\r\n";
/** A byte in this time, for ever. */
const DRIP_MS = 200;
/** Many times what the deadlines above allow. */
const PATIENCE_MS = 60_000;

const PHASES: [phase: string, before: string, drip: string][] = [
  ["says nothing", "", ""],
  ["drips a command", "EHLO x\r\n", "x"],
  ["drips a command that is too long", `EHLO x\r\n${"x".repeat(3000)}`, "x"],
  ["drips content", `EHLO x\r\n${ENVELOPE}DATA\r\n`, "x"],
  ["drips dots", `EHLO x\r\n${ENVELOPE}DATA\r\n\r\n`, "."],
  ["drips a chunk", `EHLO x\r\n${ENVELOPE}BDAT 1000 LAST\r\n`, "x"],
  ["drips a refused chunk", "EHLO x\r\nBDAT 1000 LAST\r\n", "x"],
];

/** Sends `before`, one line a reply, then drips; how many milliseconds until the server hung up, and all it said. */
function drip(port: number, before: string, byte: string): Promise<{ took: number; said: string }> {
  const began = Date.now(), lines = before.split(/(?<=\n)/);
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    const late = setTimeout(() => socket.destroy(new Error("the server waits on")), PATIENCE_MS);
    let said = "", dripping: ReturnType<typeof setInterval> | undefined;
    socket.setEncoding("latin1");
    socket.on("data", (text) => {
      said += text;
      if (!/^\d{3} .*\r\n$/m.test(`${text}`)) return;
      const line = lines.shift();
      if (line) socket.write(line);
      if (byte && !lines.length) dripping ??= setInterval(() => socket.write(byte), DRIP_MS);
    });
    socket.on("error", (error) => error.message.includes("waits on") && reject(error));
    socket.on("close", () => {
      clearInterval(dripping);
      clearTimeout(late);
      resolve({ took: Date.now() - began, said });
    });
  });
}

Deno.test("a client that is slow in any phase hears 421, leaves no message, and holds up nobody", async (t) => {
  await using system = await System.start({ main: MAIN });
  const slow = PHASES.map(([, before, byte]) => drip(system.port, before, byte));
  await system.send("u2@box.test");
  for (const [n, [phase]] of PHASES.entries()) {
    await t.step(`a client that ${phase}`, async () => {
      const { said } = await slow[n]!;
      assertMatch(said, /421 4\.4\.2 mx\.postern\.test Error: timeout exceeded\r\n$/);
    });
  }
  await system.until(() => system.maildir("u2").length === 1);
  assertEquals(system.maildir("u1"), []);
  assertEquals(await system.listing(), []);
});

/** Commands with replies that nobody reads, by the verb that the log names. */
const UNREAD = {
  HELP: `EHLO x\r\n${"HELP\r\n".repeat(2e6)}`,
  BDAT: `EHLO x\r\n${ENVELOPE}${"BDAT 1\r\nx".repeat(1.5e6)}`,
};

Deno.test("clients that do not read their replies are given up, and cost bounded memory", async () => {
  await using system = await System.start({ main: MAIN });
  for (const [verb, commands] of Object.entries(UNREAD)) {
    const socket = connect(system.port, "127.0.0.1");
    socket.on("error", () => {});
    socket.pause();
    socket.write(commands);
    const givenUp = new RegExp(`timeout after ${verb} (\\(\\d+ bytes\\) )?from`);
    await system.until(() => givenUp.test(system.output), PATIENCE_MS);
    socket.destroy();
  }
  const [pid] = system.processes("smtpd");
  const mebibytes = peakKib(pid!) / 1024;
  assert(mebibytes < 200, `smtpd needed ${mebibytes} MiB`);
  await system.send("u1@box.test");
});
