/** Clients that are slow in every phase: their time ends, and others do not wait for them. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { type AddressInfo, connect, createServer } from "node:net";
import { connect as tlsConnect } from "node:tls";
import { certificate } from "../support/certificate.ts";
import { peerTest } from "../support/peers.ts";
import { peakKib } from "../support/processes.ts";
import { freePort, System } from "../support/system.ts";

/** What stress makes of the defaults, shorter still, on a port for these clients alone: a busy machine is slow, too. */
const HURRIED = `smtpd
  -o smtpd_timeout=2s -o smtpd_per_request_deadline=yes -o smtpd_min_data_rate=500
  -o smtpd_client_connection_count_limit=0 -o smtpd_forbid_unauth_pipelining=no
`;
const ENVELOPE = "MAIL FROM:<s@src.test>\r\nRCPT TO:<u1@box.test>\r\n";
/** A byte in this time, for ever. */
const DRIP_MS = 200;
/** Many times what the deadlines above allow. */
const PATIENCE_MS = 60_000;

const PHASES: [phase: string, before: string, drip: string][] = [
  ["says nothing after the greeting", "", ""],
  ["drips EHLO", "EHLO ", "x"],
  ["says nothing after EHLO", "EHLO x\r\n", ""],
  ["drips a command", "EHLO x\r\n", "x"],
  ["drips a command that is too long", `EHLO x\r\n${"x".repeat(3000)}`, "x"],
  ["drips MAIL", "EHLO x\r\nMAIL FROM:<", "x"],
  ["says nothing after MAIL", "EHLO x\r\nMAIL FROM:<s@src.test>\r\n", ""],
  ["drips RCPT", "EHLO x\r\nMAIL FROM:<s@src.test>\r\nRCPT TO:<", "x"],
  ["says nothing after RCPT", `EHLO x\r\n${ENVELOPE}`, ""],
  ["says nothing after DATA", `EHLO x\r\n${ENVELOPE}DATA\r\n`, ""],
  ["drips content", `EHLO x\r\n${ENVELOPE}DATA\r\n`, "x"],
  ["drips dots", `EHLO x\r\n${ENVELOPE}DATA\r\n\r\n`, "."],
  ["says nothing before the dot", `EHLO x\r\n${ENVELOPE}DATA\r\nSubject: x\r\n\r\nx\r\n`, ""],
  ["says nothing in a chunk", `EHLO x\r\n${ENVELOPE}BDAT 1000 LAST\r\nx`, ""],
  ["says nothing between chunks", `EHLO x\r\n${ENVELOPE}BDAT 1\r\nx`, ""],
  ["drips a chunk", `EHLO x\r\n${ENVELOPE}BDAT 1000 LAST\r\n`, "x"],
  ["drips a refused chunk", "EHLO x\r\nBDAT 1000 LAST\r\n", "x"],
  ["drips QUIT", "EHLO x\r\nQUI", "x"],
];

/**
 * Sends `lines`, each when the one before is answered, then drips the bytes of a text, again and again; how many
 * milliseconds until the server hung up, and all it said.
 */
function drip(
  port: number,
  lines: string[],
  text: string,
): Promise<{ took: number; said: string }> {
  const began = Date.now();
  let sent = 0;
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    const late = setTimeout(() => socket.destroy(new Error("the server waits on")), PATIENCE_MS);
    let said = "", dripping: ReturnType<typeof setInterval> | undefined;
    socket.setEncoding("latin1");
    const goOn = () => {
      const line = lines.shift();
      if (line) socket.write(line);
      if (!text || lines.length) return;
      dripping ??= setInterval(() => socket.write(text[sent++ % text.length]!, "latin1"), DRIP_MS);
    };
    socket.on("data", (text) => {
      said += text;
      if (/^\d{3} .*\r\n$/m.test(`${text}`)) goOn();
    });
    // Over TLS from the first byte nobody greets.
    if (!lines.length) goOn();
    socket.on("error", (error) => error.message.includes("waits on") && reject(error));
    socket.on("close", () => {
      clearInterval(dripping);
      clearTimeout(late);
      resolve({ took: Date.now() - began, said });
    });
  });
}

Deno.test("a client that is slow in any phase hears 421, leaves no message, and holds up nobody", async (t) => {
  const port = await freePort();
  await using system = await System.start({
    master: `127.0.0.1:${port} inet n - n - - ${HURRIED}`,
  });
  const slow = PHASES.map(([, before, byte]) => drip(port, before.split(/(?<=\n)/), byte));
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

/** What another implementation sends first, as text of one char a byte. */
function clientHello(): Promise<string> {
  return new Promise((resolve) => {
    const server = createServer((socket) => {
      socket.once("data", (data) => {
        resolve(Array.from(data as Uint8Array, (byte) => String.fromCharCode(byte)).join(""));
        socket.destroy();
        server.close();
      });
    }).listen(0, "127.0.0.1", () => {
      tlsConnect((server.address() as AddressInfo).port, "127.0.0.1").on("error", () => {});
    });
  });
}

peerTest(
  "a client that is slow in its TLS handshake is given up, and holds up nobody",
  ["openssl"],
  async (_, t) => {
    const keys = await Deno.makeTempDir({ prefix: "postern-keys-" });
    const { key, chain } = certificate(keys)!;
    const wrapped = await freePort();
    await using system = await System.start({
      main: `smtpd_per_request_deadline = yes
smtpd_min_data_rate = 500
smtpd_client_connection_count_limit = 0
smtpd_tls_security_level = may
smtpd_starttls_timeout = 3s
smtpd_tls_chain_files = ${key}, ${chain}`,
      master: `127.0.0.1:${wrapped} inet n - n - - smtpd -o smtpd_tls_wrappermode=yes`,
    });
    const hello = await clientHello();
    assert(hello.length > 100, "more than the deadline lets through");
    // What is sent before STARTTLS is answered would be dropped.
    const tls = (...start: string[]) => ["EHLO x\r\n", "STARTTLS\r\n", ...start];
    const phases: [phase: string, port: number, before: string[], drip: string][] = [
      ["says nothing after STARTTLS", system.port, tls(), ""],
      ["drips its ClientHello after STARTTLS", system.port, tls(""), hello],
      ["sends half its ClientHello", system.port, tls(hello.slice(0, 50)), ""],
      ["says nothing to a port of TLS", wrapped, [], ""],
      ["drips its ClientHello to a port of TLS", wrapped, [], hello],
    ];
    const slow = phases.map(([, port, lines, text]) => drip(port, lines, text));
    await system.send("u2@box.test");
    for (const [n, [phase, port]] of phases.entries()) {
      await t.step(`a client that ${phase}`, async () => {
        const { took, said } = await slow[n]!;
        assert(took >= 2500, `given up after ${took} ms already`);
        // Nothing that a client could take for a word from within TLS.
        assertMatch(
          said,
          port === wrapped ? /^$/ : /^220 .*\r\n(250.*\r\n)+220 2\.0\.0 Ready to start TLS\r\n$/,
        );
      });
    }
    const failed = () =>
      system.output.match(/SSL_accept error from .*: Connection timed out$/gm)?.length ?? 0;
    await system.until(() => failed() >= phases.length);
    await system.until(() => system.maildir("u2").length === 1);
    assertEquals(await system.listing(), []);
    await Deno.remove(keys, { recursive: true });
  },
);

peerTest("a client that is slow within TLS hears 421 there", ["openssl"], async ({ openssl }) => {
  const keys = await Deno.makeTempDir({ prefix: "postern-keys-" });
  const { key, chain } = certificate(keys)!;
  // Time enough for openssl to come as far as TLS.
  await using system = await System.start({
    main: `smtpd_timeout = 8s
smtpd_per_request_deadline = yes
smtpd_min_data_rate = 500
smtpd_tls_security_level = may
smtpd_tls_chain_files = ${key}, ${chain}`,
  });
  const args = ["s_client", "-quiet", "-starttls", "smtp", "-connect", `127.0.0.1:${system.port}`];
  const child = new Deno.Command(openssl, {
    args,
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const input = child.stdin.getWriter();
  const dripping = setInterval(() => input.write(new Uint8Array([120])).catch(() => {}), DRIP_MS);
  const said = new TextDecoder().decode((await child.output()).stdout);
  clearInterval(dripping);
  await input.close().catch(() => {});
  assertMatch(said, /421 4\.4\.2 mx\.postern\.test Error: timeout exceeded\r\n$/);
  await Deno.remove(keys, { recursive: true });
});

/** Commands with replies that nobody reads, by the verb that the log names. */
const UNREAD = {
  HELP: `EHLO x\r\n${"HELP\r\n".repeat(2e6)}`,
  BDAT: `EHLO x\r\n${ENVELOPE}${"BDAT 1\r\nx".repeat(1.5e6)}`,
};

Deno.test("clients that do not read their replies are given up, and cost bounded memory", async () => {
  const port = await freePort();
  await using system = await System.start({
    master: `127.0.0.1:${port} inet n - n - - ${HURRIED}`,
  });
  for (const [verb, commands] of Object.entries(UNREAD)) {
    const socket = connect(port, "127.0.0.1");
    socket.on("error", () => {});
    socket.pause();
    socket.write(commands);
    await system.untilSaid(`timeout after ${verb} (\\(\\d+ bytes\\) )?from`, PATIENCE_MS);
    socket.destroy();
  }
  const mebibytes = Math.max(...system.processes("smtpd").map(peakKib)) / 1024;
  assert(mebibytes < 200, `smtpd needed ${mebibytes} MiB`);
  await system.send("u1@box.test");
});
