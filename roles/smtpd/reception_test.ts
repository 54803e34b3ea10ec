import { assert, assertEquals, assertMatch } from "@std/assert";
import { connect, type Socket } from "node:net";
import { connect as tlsConnect } from "node:tls";
import type { Sendable } from "../../shared/ipc/content.ts";
import { CallError } from "../../shared/ipc/failure.ts";
import { runDialog } from "../../tests/dialogs/dialog.ts";
import { connectTcp } from "../../tests/dialogs/tcp.ts";
import { pause } from "../../tests/support/waiting.ts";
import type { Services } from "./services.ts";
import { client, deliver, house, log, Peer, RECIPIENTS, secured } from "./test_house.ts";

Deno.test("a session over a socket takes a message, says goodbye and closes", async () => {
  const { port, messages, close } = await house();
  const peer = await client(port);
  assertMatch(await deliver(peer, "hi"), /^250 2.0.0 Ok: queued as /);
  assertEquals(await peer.say("QUIT\r\n"), "221 2.0.0 Bye");
  assertEquals(await peer.say(""), "closed");
  assertEquals(messages.length, 1);
  await close();
});

for (
  const name of [
    "mail_syntax",
    "nested_mail",
    "bdat_pipelined",
    "smuggling_normalize",
    "bdat_too_big",
  ]
) {
  Deno.test(`the dialog ${name} runs over a socket as it does in memory`, async () => {
    const file = new URL(`../../tests/dialogs/${name}.dialog`, import.meta.url);
    const texts: Record<string, string> = name === "bdat_too_big"
      ? { message_size_limit: "10" }
      : {};
    const { port, close } = await house({ smtpd_forbid_bare_newline_exclusions: "", ...texts });
    await runDialog(Deno.readTextFileSync(file), () => connectTcp(port));
    await close();
  });
}

Deno.test("STARTTLS makes a TLS session that knows nothing of what was said before", async () => {
  const { port, messages, close } = await house({ smtpd_tls_received_header: "yes" });
  const plain = await client(port);
  assertMatch(await plain.say("EHLO x\r\n"), /250-STARTTLS/);
  await plain.say("MAIL FROM:<early@example.com>\r\n");
  assertEquals(await plain.say("STARTTLS\r\n"), "220 2.0.0 Ready to start TLS");
  const peer = await secured(plain);
  assertEquals(
    await peer.say("RCPT TO:<user@here.test>\r\n"),
    "503 5.5.1 Error: need MAIL command",
  );
  assertMatch(await deliver(peer, "hi"), /^250 2.0.0 Ok: queued as /);
  assertMatch(
    messages[0]!,
    /\(using TLSv1\.[23] with cipher \S+ \(\d+\/\d+ bits\)\).* with ESMTPS id /s,
  );
  assert(
    log.some((line) =>
      /^Anonymous TLS connection established from localhost\[127.0.0.1\]: TLSv1/.test(line)
    ),
  );
  assertEquals(await peer.say("QUIT\r\n"), "221 2.0.0 Bye");
  await close();
});

Deno.test("commands that come behind STARTTLS in the clear are never answered", async () => {
  const { port, messages, close } = await house();
  const plain = await client(port);
  await plain.say("EHLO x\r\n");
  const injected = `STARTTLS\r\nEHLO evil\r\n${RECIPIENTS}`;
  assertEquals(await plain.say(injected), "220 2.0.0 Ready to start TLS");
  const peer = await secured(plain);
  assertEquals(await peer.say("DATA\r\n"), "503 5.5.1 Error: need RCPT command");
  assertMatch(await peer.say("NOOP\r\n"), /^250 2.0.0 Ok$/);
  await peer.say("QUIT\r\n");
  assertEquals(messages, []);
  await close();
});

Deno.test("a handshake that is none ends the session and nothing else", async () => {
  const { port, reception, close } = await house();
  const other = await client(port);
  const plain = await client(port);
  await plain.say("EHLO x\r\n");
  await plain.say("STARTTLS\r\n");
  // An alert may come before the end.
  plain.socket.write("MAIL FROM:<s@example.com>\r\n\r\n\r\n");
  await new Promise<void>((resolve) => plain.socket.once("close", () => resolve()));
  assertEquals(await other.say("NOOP\r\n"), "250 2.0.0 Ok");
  assertEquals(reception.sessions, 1);
  await other.say("QUIT\r\n");
  for (
    const line of [
      /^SSL_accept error from localhost\[127\.0\.0\.1\]: -1$/,
      /^TLS library problem: .*wrong version number/,
      /^NOQUEUE: lost connection after STARTTLS from localhost\[127\.0\.0\.1\]$/,
      /^disconnect from localhost\[127\.0\.0\.1\] ehlo=1 starttls=0\/1 commands=1\/2$/,
    ]
  ) assert(log.some((each) => line.test(each)), `${line}`);
  await close();
});

Deno.test("smtpd_tls_wrappermode speaks TLS from the first byte", async () => {
  const { port, close } = await house({
    smtpd_tls_wrappermode: "yes",
    smtpd_tls_security_level: "encrypt",
  });
  const socket = tlsConnect({ port, host: "127.0.0.1", rejectUnauthorized: false });
  const peer = new Peer(socket as unknown as Socket);
  assertMatch(await peer.say(""), /^220 /);
  assert(!(await peer.say("EHLO x\r\n")).includes("STARTTLS"));
  await peer.say("QUIT\r\n");
  await close();
});

Deno.test("smtpd_tls_wrappermode counts TLS sessions before any handshake", async () => {
  const before = log.length;
  const { port, close } = await house({
    smtpd_tls_wrappermode: "yes",
    smtpd_client_new_tls_session_rate_limit: "1",
    smtpd_client_event_limit_exceptions: "",
  }, (services) => ({
    ...services,
    anvil: { ...services.anvil, event: () => Promise.resolve(2) },
  }));
  const peer = new Peer(connect(port, "127.0.0.1"));
  const answer = "421 4.7.0 mail.here.test Error: too many new TLS sessions from 127.0.0.1";
  assertEquals(await peer.say(""), answer);
  assertEquals(await peer.say(""), "closed");
  await close();
  assertMatch(log[before]!, /^connect from /);
  assert(log.slice(before).some((line) => line.startsWith("NOQUEUE: reject: CONNECT from ")));
});

for (const forbid of ["yes", "no"]) {
  Deno.test(`a client that speaks before the greeting is noticed, forbidden: ${forbid}`, async () => {
    const before = log.length, named = Promise.withResolvers<string>();
    const { port, close } = await house(
      { smtpd_forbid_unauth_pipelining: forbid },
      (services) => ({ ...services, peerName: () => named.promise }),
    );
    const socket = connect(port, "127.0.0.1");
    const peer = new Peer(socket);
    await new Promise<void>((sent) => socket.write("EHLO early.test\r\n", () => sent()));
    await pause(100);
    named.resolve("client.test");
    const expected = forbid === "yes" ? /^554 5.5.0 Error: SMTP protocol sync/ : /^220 /;
    assertMatch(await peer.say(""), expected);
    socket.destroy();
    await close();
    const line =
      "improper command pipelining after CONNECT from client.test[127.0.0.1]: EHLO early";
    assert(log.slice(before).some((each) => each.includes(line)));
  });
}

Deno.test("a client that hangs up in its handshake is logged", async () => {
  const lost = () => log.filter((line) => /^SSL_accept error .*: lost connection$/.test(line));
  const before = lost().length;
  for (const smtpd_tls_wrappermode of ["yes", "no"]) {
    const { port, close } = await house({ smtpd_tls_wrappermode });
    const plain = smtpd_tls_wrappermode === "no" ? await client(port) : undefined;
    if (plain) {
      await plain.say("EHLO x\r\n");
      await plain.say("STARTTLS\r\n");
      plain.socket.end();
    } else await new Promise<void>((done) => connect(port, "127.0.0.1", done as () => void).end());
    await close();
  }
  assertEquals(lost().length, before + 2);
});

/** Long messages that go to cleanup whole, and those whose bodies go past it. */
const WAYS = [["cleanup", ""], ["the queue", "Subject: x\r\n\r\n"]] as const;

/** Services that hand what is streamed to `read`. */
function streaming(
  services: Services,
  read: (content: AsyncIterable<Uint8Array>) => Promise<void>,
): Services {
  return {
    ...services,
    async submit(_envelope, _recipients, content: Sendable) {
      if (!(content instanceof Uint8Array)) await read(content);
      return { queued: true, code: 250, dsn: "2.0.0", text: "" };
    },
    async keepBody(_queueId, _key, body) {
      await read(body);
      return () => {};
    },
  };
}

for (const [where, head] of WAYS) {
  Deno.test(`a long message streams through with the client no faster than ${where}`, async () => {
    const size = 32 * 1024 * 1024;
    let taken = 0, mostAhead = 0;
    const sent = { bytes: 0 };
    const { port, close } = await house(
      { message_size_limit: "0" },
      (services) =>
        streaming(services, async (content) => {
          for await (const chunk of content) {
            taken += chunk.length;
            mostAhead = Math.max(mostAhead, sent.bytes - taken);
            await new Promise((resolve) => setTimeout(resolve, 0));
          }
        }),
    );
    const peer = await client(port);
    await peer.say("EHLO x\r\n");
    await peer.say(RECIPIENTS);
    await peer.say("");
    await peer.say("DATA\r\n");
    peer.socket.write(head);
    const block = ("x".repeat(78) + "\r\n").repeat(1024);
    for (; sent.bytes < size; sent.bytes += block.length) {
      if (!peer.socket.write(block)) {
        await new Promise<void>((resolve) => peer.socket.once("drain", () => resolve()));
      }
    }
    assertMatch(await peer.say(".\r\n"), /^250 2.0.0 Ok: queued as /);
    assert(taken >= size);
    // Both kernel buffers, which grow to 10 MiB, and the window; far less than the message.
    assert(mostAhead < size / 2, `${mostAhead}`);
    await peer.say("QUIT\r\n");
    await close();
  });

  Deno.test(`a client that goes away in a long message cancels it on its way to ${where}`, async () => {
    const cancelled = Promise.withResolvers<string>();
    const { port, close } = await house({}, (services) =>
      streaming(services, async (content) => {
        try {
          for await (const _ of content);
          cancelled.resolve("queued");
        } catch (error) {
          cancelled.resolve(String(error));
        }
        throw new Error("not queued");
      }));
    const peer = await client(port);
    await peer.say("EHLO x\r\n");
    await peer.say(RECIPIENTS);
    await peer.say("");
    await peer.say("DATA\r\n");
    const lines = ("x".repeat(78) + "\r\n").repeat(4000);
    peer.socket.write(head + lines, () => peer.socket.destroy());
    assertMatch(await cancelled.promise, /the session ended/);
    await close();
  });
}

Deno.test("a body that the queue has no room for is refused for now, and so is what comes after it", async () => {
  const { port, close } = await house({}, (services) => ({
    ...services,
    keepBody: () => Promise.reject(new CallError("full", "bodies: no room")),
  }));
  const peer = await client(port);
  const body = ("x".repeat(78) + "\r\n").repeat(4000);
  assertEquals(
    await deliver(peer, `Subject: x\r\n\r\n${body}`),
    "452 4.3.1 Insufficient system storage",
  );
  assertMatch(await peer.say("MAIL FROM:<s@example.com>\r\n"), /^452 4.3.1 /);
  await peer.say("QUIT\r\n");
  await close();
});

Deno.test("a clock that is set ends no session, and keeps none", async () => {
  const clock = { set: 0 };
  const leaping = (services: Services): Services => ({
    ...services,
    clock: { ...services.clock, now: () => Date.now() + clock.set },
  });
  const { port, close } = await house({ smtpd_timeout: "300s" }, leaping);
  const brief = await house({ smtpd_timeout: "2s" }, leaping);
  const peer = await client(port), silent = await client(brief.port);
  clock.set = -24 * 3600 * 1000;
  assertMatch(await silent.say(""), /^421 4.4.2 .* Error: timeout exceeded$/);
  await silent.say("");
  clock.set = 24 * 3600 * 1000;
  // So long that deadlines are looked at.
  await pause(2000);
  assertEquals(await peer.say("RSET\r\n"), "250 2.0.0 Ok");
  await peer.say("QUIT\r\n");
  await Promise.all([close(), brief.close()]);
});

Deno.test("a session over the limit hears 421", async () => {
  const { port, close } = await house({ smtpd_session_limit: "1" });
  const first = await client(port);
  const second = new Peer(connect(port, "127.0.0.1"));
  assertEquals(await second.say(""), "421 4.3.2 All server ports are busy");
  assertEquals(await second.say(""), "closed");
  await first.say("QUIT\r\n");
  await close();
});

Deno.test("drain() waits for the sessions that are under way", async () => {
  const { port, reception, close } = await house();
  const peer = await client(port);
  let drained = false;
  const draining = reception.drain().then(() => (drained = true));
  assertEquals(await peer.say("NOOP\r\n"), "250 2.0.0 Ok");
  assertEquals(drained, false);
  await peer.say("QUIT\r\n");
  await draining;
  await close();
});

Deno.test("stop() ends idle sessions, and lets content be finished", async () => {
  const { port, reception, messages, close } = await house();
  const idle = await client(port), busy = await client(port);
  await idle.say("EHLO x\r\n");
  await busy.say("EHLO x\r\n");
  await busy.say(RECIPIENTS);
  await busy.say("");
  await busy.say("DATA\r\n");
  reception.stop(60_000);
  const draining = reception.drain();
  assertEquals(await idle.say(""), "421 4.3.2 mail.here.test Service shutting down");
  assertEquals(await idle.say(""), "closed");
  assertMatch(await busy.say("hi\r\n.\r\n"), /^250 2.0.0 Ok: queued as /);
  assertEquals(await busy.say(""), "421 4.3.2 mail.here.test Service shutting down");
  await draining;
  assertEquals(messages.length, 1);
  await close();
});

Deno.test("stop() tells a client whose content does not end in time, and takes none of it", async () => {
  const { port, reception, messages, close } = await house();
  const peer = await client(port);
  await peer.say("EHLO x\r\n");
  await peer.say(RECIPIENTS);
  await peer.say("");
  await peer.say("DATA\r\n");
  peer.socket.write("half of");
  reception.stop(50);
  const draining = reception.drain();
  assertEquals(await peer.say(" a line"), "421 4.3.2 mail.here.test Service shutting down");
  assertEquals(await peer.say(""), "closed");
  await draining;
  assertEquals(messages, []);
  await close();
});

Deno.test("content that comes in pieces arrives whole and in order", async () => {
  const { port, messages, close } = await house({ message_size_limit: "0" });
  const peer = await client(port);
  for (const pieces of [5, 40]) {
    await peer.say("EHLO x\r\n");
    await peer.say(RECIPIENTS);
    await peer.say("");
    await peer.say("DATA\r\n");
    let sent = "";
    for (let n = 0; n < pieces; n++) {
      const piece = `${n}:${"abcdefghi".repeat(500)}\r\n`;
      sent += piece;
      peer.socket.write(piece);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    assertMatch(await peer.say(".\r\n"), /^250 /);
    assert(messages.at(-1)!.endsWith(sent.replaceAll("\r\n", "\\r\\n")));
  }
  await peer.say("QUIT\r\n");
  await close();
});
