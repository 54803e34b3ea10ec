/** Clients that end their side first, as `printf ... | nc -N` does: they hear everything, and no descriptor stays open. */

import { assertEquals, assertMatch } from "@std/assert";
import { connect, type Socket } from "node:net";
import { connect as tlsConnect } from "node:tls";
import { until } from "../../tests/support/waiting.ts";
import { type House, house, log, Peer, secured } from "./test_house.ts";
import { LINGER_MS } from "./socket.ts";

const ENVELOPE = "MAIL FROM:<s@example.com>\r\nRCPT TO:<user@here.test>\r\nDATA\r\n";
const WRAPPED = { smtpd_tls_wrappermode: "yes" };

/** A client that has said EHLO, and goes on reading when it has ended its side. */
async function reader(where: House, tls = false): Promise<Peer> {
  const peer = connected(where, tls);
  await peer.say("");
  assertMatch(await peer.say("EHLO x\r\n"), /^250-/);
  return peer;
}

function connected({ port }: House, tls = false): Peer {
  const options = { port, host: "127.0.0.1", allowHalfOpen: true };
  return new Peer(
    tls
      ? tlsConnect({ ...options, rejectUnauthorized: false }) as unknown as Socket
      : connect(options),
  );
}

/** What comes until the connection is closed. */
async function rest(peer: Peer): Promise<string[]> {
  for (const replies: string[] = [];;) {
    const reply = await peer.say("");
    if (reply === "closed") return replies;
    replies.push(reply);
  }
}

/** Every descriptor is given back, and that long before anybody's patience ends. */
async function letGo({ open, close }: House): Promise<void> {
  await until(() => open.size === 0, 60_000);
  await close();
}

for (const tls of [false, true]) {
  const how = tls ? "over TLS" : "in the clear";

  Deno.test(`a client ${how} that ends its side behind QUIT hears that its message is queued`, async () => {
    const where = await house(tls ? WRAPPED : {}, (services) => ({
      ...services,
      async submit(...about) {
        await new Promise((resolve) => setTimeout(resolve, 200));
        return await services.submit(...about);
      },
    }));
    const peer = await reader(where, tls);
    peer.socket.write(ENVELOPE);
    for (const code of [250, 250, 354]) assertMatch(await peer.say(""), RegExp(`^${code}`));
    peer.socket.end("hi\r\n.\r\nQUIT\r\n");
    const [queued, bye, ...more] = await rest(peer);
    assertMatch(queued!, /^250 2.0.0 Ok: queued as /);
    assertEquals([bye, more, where.messages.length], ["221 2.0.0 Bye", [], 1]);
    await letGo(where);
  });

  Deno.test(`a client ${how} that ends its side in its content loses the transaction`, async () => {
    const where = await house(tls ? WRAPPED : {});
    const peer = await reader(where, tls);
    peer.socket.write(ENVELOPE);
    for (let n = 0; n < 3; n++) await peer.say("");
    log.length = 0;
    peer.socket.end("hi\r\n");
    assertEquals([await rest(peer), where.messages], [[], []]);
    assertMatch(log[0]!, /^\S+: lost connection after DATA \(4 bytes\) from localhost\[127/);
    await letGo(where);
  });

  Deno.test(`clients ${how} that end their side and keep theirs open are let go`, async () => {
    const where = await house(tls ? WRAPPED : {});
    const peers = await Promise.all(Array.from({ length: 20 }, () => reader(where, tls)));
    peers.forEach(({ socket }, n) => {
      const last = ["", "NOOP\r\n", "NO", "QUIT\r\n"][n % 4];
      if (last) socket.write(last);
      socket.end();
    });
    const heard = await Promise.all(peers.map(rest));
    assertEquals(heard.slice(0, 4).map(String), ["", "250 2.0.0 Ok", "", "221 2.0.0 Bye"]);
    await letGo(where);
  });
}

Deno.test("more replies than a socket takes at once reach a client that has ended its side", async () => {
  const where = await house({ smtpd_junk_command_limit: "100000" });
  const peer = await reader(where);
  peer.socket.end("RSET\r\n".repeat(5000) + "QUIT\r\n");
  const replies = await rest(peer);
  assertEquals([replies.length, replies.at(-1)], [5001, "221 2.0.0 Bye"]);
  await letGo(where);
});

Deno.test("a client that ends its side and reads nothing is let go", async () => {
  const where = await house({ smtpd_timeout: "2s", smtpd_junk_command_limit: "1000000" });
  const peer = await reader(where);
  peer.socket.pause();
  peer.socket.end("HELP\r\n".repeat(500_000));
  await until(() => where.open.size === 0, LINGER_MS + 60_000);
  peer.socket.destroy();
  await where.close();
});

Deno.test("a client that ends its side before or in its TLS handshake is let go", async () => {
  const wrapped = await house({ ...WRAPPED, smtpd_starttls_timeout: "300s" });
  log.length = 0;
  connected(wrapped).socket.end();
  await until(() => log.some((line) => /^SSL_accept error .*: lost connection$/.test(line)));
  await letGo(wrapped);

  const where = await house({ smtpd_starttls_timeout: "300s" });
  const behind = await reader(where), after = await reader(where);
  behind.socket.end("STARTTLS\r\n");
  await after.say("STARTTLS\r\n");
  after.socket.end();
  await letGo(where);
});

Deno.test("STARTTLS leaves a session that may end its side first", async () => {
  const where = await house();
  const plain = await reader(where);
  await plain.say("STARTTLS\r\n");
  const peer = await secured(plain);
  await peer.say("EHLO x\r\n");
  peer.socket.end("RSET\r\nQUIT\r\n");
  assertEquals(await rest(peer), ["250 2.0.0 Ok", "221 2.0.0 Bye"]);
  await letGo(where);
});
