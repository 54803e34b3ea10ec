/**
 * Input that is meant to hurt, through the whole system. Where each family of the issue's list is tested:
 *
 *   ends of data       here to SMTP, LMTP, a Maildir and from the maildrop; tests/dialogs/smuggling_*; roles/smtpd/end_of_data_test.ts
 *   BDAT               here; tests/dialogs/bdat_*
 *   state after errors fuzz_test.ts; roles/smtpd/session_fuzz_test.ts; tests/dialogs/*_resets, *_then_data
 *   STARTTLS           roles/smtpd/reception_test.ts; tests/dialogs/starttls*
 *   other protocols    here; tests/dialogs/http, tls_as_command, header_as_command
 *   size, form, MIME   here; roles/cleanup/submit_test.ts
 *   NUL and controls   controls_test.ts; shared/log/printable_test.ts
 *   addresses, names   here; shared/mail/address_test.ts; roles/rewrite/*_test.ts
 *   prototype names    here; shared/ipc/check_test.ts and hostile_test.ts (frames); shared/table, shared/config (keys)
 *   look-alikes        here; tests/dialogs/look_alike_verbs; the tests that use disguised() of tests/support/hostile.ts
 *   DNS answers        roles/dns/packet_test.ts, tcp_frame_test.ts, resolver_test.ts
 *   remote servers     roles/smtp/hostile_test.ts; controls_test.ts
 *   slow clients       slow_test.ts; tests/dialogs/slow_*, timeout*
 *   limits             here; tests/dialogs/*_limit, junk_limit, recipient_limit*
 *   each parser        its own *_test.ts, as tests/rules/parsers_test.ts lists
 */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { assertUnhurt, ENVELOPE, PATIENCE_MS, say, scene } from "./scene.ts";
import { WRONG_ENDS } from "./script.ts";

const HIDDEN = "MAIL FROM:<evil@src.test>\r\nRCPT TO:<evil@sink.test>\r\nDATA\r\nhidden\r\n";

/** The lines that a correct end of data and no other leaves, without the dots of transport. */
function lines(content: string): string {
  return content.replace(/\r*\n|\r/g, (end) => end === "\r" ? " " : "\r\n");
}

for (const lmtp of [false, true]) {
  Deno.test(`wrong ends of data hide no message from DATA or BDAT to ${lmtp ? "LMTP" : "SMTP"}`, async () => {
    await using here = await scene({ lmtp });
    const expected: string[] = [];
    for (const [n, end] of WRONG_ENDS.entries()) {
      const raw = `Subject: ${n}\r\n\r\nbefore${end}${HIDDEN}after\r\n`;
      const bdat = raw.replace("Subject: ", "Subject: b");
      const replies = await say(here.system, [
        `${ENVELOPE}DATA\r\n${raw}.\r\n`,
        `${ENVELOPE}BDAT ${bdat.length} LAST\r\n${bdat}QUIT\r\n`,
      ], /^221 /m);
      assertEquals(replies.match(/queued as/g)?.length, 2, replies);
      expected.push(lines(raw.replace(/\n\./g, "\n")), lines(bdat));
    }
    const { received } = here.sink;
    await here.system.until(() => received.length >= expected.length, PATIENCE_MS);
    assertEquals(received.length, expected.length);
    for (const content of expected) {
      const subject = content.slice(0, content.indexOf("\r\n"));
      const found = received.find((each) => each.content.includes(`\r\n${subject}\r\n`));
      assert(
        found?.content.endsWith(content),
        `${JSON.stringify(found)}\n${JSON.stringify(content)}`,
      );
    }
    assert(received.every(({ to }) => to.join() === "u@sink.test"));
    assertUnhurt(here);
  });
}

Deno.test("wrong ends of data hide no message in a Maildir", async () => {
  await using here = await scene();
  for (const [n, end] of WRONG_ENDS.entries()) {
    const raw = `Subject: ${n}\r\n\r\nbefore${end}From evil@src.test\r\n${HIDDEN}after\r\n`;
    const replies = await say(here.system, [
      `${ENVELOPE.replace("u@sink.test", "u1@box.test")}DATA\r\n${raw}.\r\nQUIT\r\n`,
    ], /^221 /m);
    assertStringIncludes(replies, "queued as");
  }
  await here.system.until(() => here.system.maildir("u1").length >= WRONG_ENDS.length, PATIENCE_MS);
  const messages = here.system.maildir("u1");
  assertEquals(messages.length, WRONG_ENDS.length);
  assert(messages.every((text) => text.endsWith("hidden\nafter\n") && !text.includes("\r")));
  assertUnhurt(here);
});

Deno.test("wrong and right ends of data hide no message in what sendmail leaves in the maildrop", async () => {
  await using here = await scene();
  // To sendmail -i the end of its input is the end of data, and nothing else.
  const ends = [...WRONG_ENDS, "\r\n.\r\n"];
  for (const [n, end] of ends.entries()) {
    const raw = `Subject: ${n}\r\n\r\nbefore${end}${HIDDEN}after\r\n`;
    await here.system.command(["sendmail", "-i", "-f", "s@src.test", "u@sink.test"], raw);
  }
  const { received } = here.sink;
  await here.system.until(() => received.length >= ends.length, PATIENCE_MS);
  const numbers = received.map(({ content }) => Number(/^Subject: (\d+)\r$/m.exec(content)?.[1]));
  assertEquals(numbers.toSorted((a, b) => a - b), ends.map((_, n) => n));
  for (const { from, to, content } of received) {
    assertEquals([from, to], ["s@src.test", ["u@sink.test"]]);
    assertMatch(content, /\r\nbefore[^]*\r\nDATA\r\nhidden\r\nafter\r\n$/);
    assert(!/\r(?!\n)|(?<!\r)\n/.test(content), JSON.stringify(content));
  }
  assertUnhurt(here);
});

Deno.test("a million BDAT chunks of a byte make one message, in bounded memory", async () => {
  await using here = await scene();
  const chunks = Array.from({ length: 100 }, () => "BDAT 1\r\nx".repeat(10_000));
  const replies = await say(
    here.system,
    [`${ENVELOPE}BDAT 4\r\n\r\n\r\n`, ...chunks, "BDAT 0 LAST\r\n"],
    /queued as/,
  );
  assertEquals(replies.match(/^250 2\.0\.0 Ok: 1 bytes\r$/gm)?.length, 1e6);
  await here.system.until(() => here.sink.received.length === 1, PATIENCE_MS);
  assert(here.sink.received[0]!.content.endsWith(`\r\n\r\n${"x".repeat(1e6)}\r\n`));
  assertUnhurt(here);
});

const FORMS: [why: string, content: Iterable<string>, reply: RegExp][] = [
  ["of bare LFs", ["Subject: x\n\n", "a\n".repeat(1e6)], /queued as/],
  ["of bare CRs", ["Subject: x\r\n\r\n", "\r".repeat(2e6)], /queued as/],
  ["of dots", ["Subject: x\r\n\r\n", "..\r\n".repeat(5e5)], /queued as/],
  ["of NULs", ["\0".repeat(2e6)], /queued as/],
  ["that is one line of 8 MB", ["\r\n", "x".repeat(8e6)], /queued as/],
  ["with a header line of 1 MB", ["Subject: ", "x".repeat(1e6), "\r\n\r\nbody"], /queued as/],
  [
    "with a folded header of 2 MB",
    ["X: y\r\n", " z\r\n".repeat(5e5), "\r\nbody"],
    /^552 5\.3\.4 /m,
  ],
  ["with 200,000 headers", ["To: a@b.test\r\n".repeat(2e5), "\r\nbody"], /^552 5\.3\.4 /m],
  ["without any header", ["\r\nbody"], /queued as/],
  ["without header or body", [""], /queued as/],
  ["with 10,000 Received headers", ["Received: x\r\n".repeat(1e4), "\r\nbody"], /^554 5\.4\.0 /m],
  ["with MIME nested 10,000 deep", nested(10_000), /queued as/],
  ["with 10,000 mailbox separators", ["From me\r\n".repeat(1e4), "\r\nbody"], /queued as/],
  ["with 100,000 mailbox separators", ["From me\r\n".repeat(1e5), "\r\nbody"], /^552 5\.3\.4 /m],
];

function* nested(depth: number): Generator<string> {
  for (let n = 0; n < depth; n++) {
    yield `Content-Type: multipart/mixed; boundary=b${n}\r\n\r\n--b${n}\r\n`;
  }
}

Deno.test("messages of hostile forms pass whole or are refused, in bounded memory", async (t) => {
  await using here = await scene();
  let expected = 0;
  for (const [why, content, reply] of FORMS) {
    await t.step(`a message ${why}`, async () => {
      const sent = function* () {
        yield `${ENVELOPE}DATA\r\n`;
        yield* content;
        yield "\r\n.\r\nNOOP\r\n";
      };
      const replies = await say(
        here.system,
        sent(),
        /^(250 2\.0\.0 Ok: queued|5).*\r\n250 2\.0\.0 Ok\r/m,
      );
      assertMatch(replies, reply);
      if (replies.includes("queued as")) expected++;
    });
  }
  await here.system.until(() => here.sink.count >= expected, PATIENCE_MS);
  assertEquals(here.sink.count, expected);
  assertUnhurt(here);
});

/** Names that are special to JavaScript, to shells, to terminals or to the eye. */
const NAMES = [
  "__proto__",
  "constructor",
  "toString",
  "hasOwnProperty",
  "$(id)",
  "`id`",
  "../../etc/passwd",
  "|sh",
  "%s%n",
  "' OR 1=1 --",
];

Deno.test("prototype and shell names are only names: as sender, recipient, EHLO name, header and parameter", async () => {
  await using here = await scene();
  for (const name of NAMES) {
    using client = await here.system.client();
    assertEquals((await client.command(`EHLO ${name}`)).code, 250);
    assertEquals(
      (await client.command(`MAIL FROM:<"${name}"@src.test> ${name.split(" ")[0]}=1`)).code,
      555,
    );
    assertEquals((await client.command(`VRFY "${name}"@sink.test`)).code, 252, name);
    assertEquals((await client.command(`RSET ${name}`)).code, 501, name);
    await client.message(
      `"${name}"@src.test`,
      [`"${name}"@sink.test`],
      `${name.split(" ")[0]}: x\n\nbody`,
    );
    await client.command("MAIL FROM:<s@src.test>");
    assertEquals((await client.command(`RCPT TO:<"${name}"@box.test>`)).code, 550);
  }
  for (const domain of ["__proto__", "constructor", "__proto__.test", "toString.sink.test"]) {
    using client = await here.system.client();
    assertEquals((await client.command(`MAIL FROM:<s@${domain}>`)).code, 250);
    assertMatch((await client.command(`RCPT TO:<u@${domain}>`)).text, /^250 2\.1\.5/);
  }
  await here.system.until(() => here.sink.received.length >= NAMES.length, PATIENCE_MS);
  const found = here.sink.received.map(({ to }) =>
    to.join().replace(/^"?(.*?)"?@sink\.test$/, "$1")
  );
  assertEquals(found.toSorted(), NAMES.toSorted());
  assertUnhurt(here);
});

const ADDRESSES: [given: string, code: number][] = [
  ["<@a.test,@b.test:u@sink.test>", 250],
  ["<@a.test:@b.test:u@sink.test>", 501],
  // It would be an option to a program that gets it as an argument (allow_min_user).
  ["<-oProxyCommand=x@sink.test>", 501],
  ["<u@sink.test@sink.test>", 250],
  ["<<u@sink.test>>", 501],
  ['<"a\\"b\\\\c"@sink.test>', 250],
  ['<"unended@sink.test>', 501],
  ["<u(comment)@sink.test>", 501],
  ["<u@sink.test", 501],
  ["u@sink.test>", 501],
  ["<u\0@sink.test>", 501],
  ["<u\x1b[2J@sink.test>", 501],
  ['<"u\x7f"@sink.test>', 501],
  [`<${"l".repeat(900)}@sink.test>`, 250],
  [`<${"l".repeat(1001)}@sink.test>`, 501],
  [`<u@${"d".repeat(300)}.sink.test>`, 501],
  ["<u@xn--80ak6aa92e.sink.test>", 250],
  ["<u@\u0430pple.sink.test>", 501],
  ["<u@[127.0.0.1]>", 550],
  ["<u@[__proto__]>", 501],
];

const NOISES: [what: string, noise: string][] = [
  ["HTTP GET", "GET / HTTP/1.1\r\nHost: x\r\n\r\n"],
  ["HTTP POST with a command in it", "POST /x HTTP/1.1\r\nContent-Length: 5\r\n\r\nEHLO "],
  ["HTTP CONNECT", "CONNECT mx.test:25 HTTP/1.1\r\n\r\n"],
  ["HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
  ["a TLS handshake", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\n"],
  ["an SSL 2 handshake", "\x80\x2e\x01\x00\x02\n"],
  ["SSH", "SSH-2.0-OpenSSH_9\r\n"],
  ["controls", "\x00\x01\x02\x03\n"],
  ["empty lines", "\r\n".repeat(1000)],
  ["bare LFs", "\n".repeat(1000)],
  ["a command line of 10 MB", "x".repeat(1e7) + "\r\n"],
  ["a MAIL line of 10 MB", `EHLO x\r\nMAIL FROM:<${"x".repeat(1e7)}@src.test>\r\n`],
  ["a line of 10 MB of NULs", "\0".repeat(1e7) + "\r\n"],
  ["1000 times NOOP", "NOOP\r\n".repeat(1000)],
  ["1000 times VRFY", "VRFY u@sink.test\r\n".repeat(1000)],
  [
    "3000 recipients",
    `EHLO x\r\nMAIL FROM:<s@src.test>\r\n${"RCPT TO:<u@sink.test>\r\n".repeat(3000)}`,
  ],
  ["escape sequences", `EHLO ${"\x1b[2J".repeat(400)}\r\n`],
];

Deno.test("hostile addresses are read as what they say or refused; noise ends its session and harms no other", async (t) => {
  await using here = await scene();
  using other = await here.system.client();
  await t.step("addresses", async () => {
    using client = await here.system.client();
    await client.command("MAIL FROM:<s@src.test>");
    const found: [string, number][] = [];
    for (const [given] of ADDRESSES) {
      found.push([given, (await client.command(`RCPT TO:${given}`)).code]);
    }
    assertEquals(found, ADDRESSES);
  });
  for (const [what, noise] of NOISES) {
    await t.step(what, async () => {
      const replies = await say(here.system, [noise, "\r\nQUIT\r\n"], /^(221|421|521) /m);
      assertMatch(replies, /^(221|421|521) /m);
      assertEquals((await other.command("RSET")).code, 250);
    });
  }
  // deno-lint-ignore no-control-regex
  assertEquals(here.system.output.match(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/), null);
  assertUnhurt(here);
});

Deno.test("a transport named like a prototype's property defers mail, and harms nobody", async () => {
  const names = ["__proto__", "constructor", "toString"];
  const entries = names.map((name) => `{${name.toLowerCase()}.sink.test=${name}:x}`).join(", ");
  await using here = await scene({ main: `transport_maps = inline:{ ${entries} }` });
  for (const name of names) await here.system.send(`u@${name.toLowerCase()}.sink.test`);
  for (const name of names) {
    await here.system.untilSaid(
      `warning: connect to transport ${name}: .* does not call ${name}`,
    );
    const deferred = new RegExp(
      `to=<u@${name}\\.sink\\.test>.*status=deferred \\(mail transport unavailable`,
      "i",
    );
    await here.system.untilSaid(deferred);
  }
  assertUnhurt(here);
});
