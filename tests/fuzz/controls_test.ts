/** NUL and control characters wherever a client, a server or a user can put them. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { assertUnhurt, ENVELOPE, PATIENCE_MS, say, scene } from "./scene.ts";

/** As bytes: C0, DEL, C1 as UTF-8, an override of direction, a line separator, half a character. */
const CONTROLS = ["\0", "\x01", "\x07", "\x08", "\x0b", "\x0c", "\x1b[2J", "\x7f"];
const WIDE = ["\xc2\x85", "\xc2\x9b", "\xe2\x80\xae", "\xe2\x80\xa8", "\xff", "\xe2\x80"];
const ALL = [...CONTROLS, ...WIDE];
// deno-lint-ignore no-control-regex
const HARMFUL = /[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\u2028]/;

/** Where in a session; `§` is the character. */
const PLACES = [
  "EHLO a§b",
  "HELO §",
  "§",
  "NO§OP",
  "NOOP §",
  "HELP §",
  "VRFY <a§@sink.test>",
  "ETRN a§.test",
  "MAIL FROM:<a§b@src.test>",
  'MAIL FROM:<"a§b"@src.test>',
  "MAIL FROM:<a@s§c.test>",
  "MAIL FROM:<a@src.test> SIZE=§",
  "MAIL FROM:<a@src.test> ENVID=a§",
  "MAIL FROM:<a@src.test> §=1",
  "RCPT TO:<a§b@sink.test>",
  'RCPT TO:<"a\\§b"@sink.test>',
  "RCPT TO:<a@sink.test> ORCPT=rfc822;§",
  "RCPT TO:<a@[§]>",
  "BDAT §",
  "DATA §",
  "STARTTLS §",
  "QUIT §",
];

Deno.test("a NUL or control character in any command reaches no reply and no log line", async (t) => {
  await using here = await scene({
    main: "smtpd_hard_error_limit = 1000\nsmtpd_soft_error_limit = 900\n",
  });
  for (const place of PLACES) {
    await t.step(place, async () => {
      const lines = ALL.map((char) => `${place.replace("§", char)}\r\n`);
      const before = place.startsWith("RCPT") ? "MAIL FROM:<s@src.test>\r\n" : "";
      const said = await say(
        here.system,
        [`EHLO x\r\n${before}`, ...lines, "RSET\r\nVRFY done@sink.test\r\nQUIT\r\n"],
        /^(221|421) /m,
      );
      assert(!HARMFUL.test(said.replaceAll("\r\n", "\n")), JSON.stringify(said));
    });
  }
  assert(!HARMFUL.test(here.system.output), JSON.stringify(HARMFUL.exec(here.system.output)));
  assertEquals(here.sink.received, []);
  assertUnhurt(here);
});

/** Where in a message. */
const FIELDS = [
  "Subject: a§b",
  "Message-ID: <a§b@src.test>",
  "From: a§b <s@src.test>",
  "To: u@sink.test, a§b@sink.test",
  "X-§: y",
  "Received: from §",
  "Content-Type: multipart/mixed; boundary=a§b",
  "Content-Transfer-Encoding: §",
  "Date: §",
  "Resent-Message-ID: <§>",
  "not a header §",
];

Deno.test("a NUL or control character anywhere in a message passes as it is, and reaches no log line", async () => {
  await using here = await scene();
  const sent: string[] = [];
  for (const char of ALL) {
    for (const field of FIELDS) {
      const lines = `${field.replace("§", char)}\r\n\r\nbody ${char} end ${sent.length}\r\n`;
      sent.push(lines);
    }
  }
  const sessions = sent.map((lines) => `${ENVELOPE}DATA\r\n${lines}.\r\n`);
  const said = await say(here.system, [...sessions, "QUIT\r\n"], /^(221|421) /m);
  assertEquals(said.match(/queued as/g)?.length, sent.length, said.slice(-500));
  assert(!HARMFUL.test(said.replaceAll("\r\n", "\n")), JSON.stringify(said));
  await here.system.until(() => here.sink.received.length >= sent.length, PATIENCE_MS);
  for (const lines of sent) {
    const body = lines.slice(lines.indexOf("\r\n\r\n") + 4);
    assert(here.sink.received.some(({ content }) => content.endsWith(body)), JSON.stringify(lines));
  }
  assert(!HARMFUL.test(here.system.output), JSON.stringify(HARMFUL.exec(here.system.output)));
  assertUnhurt(here);
});

Deno.test("control characters in what a server says reach no log line, no listing and no report", async () => {
  const text = `a${ALL.join("b")}c`;
  await using here = await scene({
    answer: (line) => {
      if (line.startsWith("RCPT TO:<late@")) return `451 4.2.1 ${text}`;
      return line.startsWith("RCPT") ? `550 5.1.1 ${text}` : undefined;
    },
  });
  const { system } = here;
  const late = await system.send("late@sink.test");
  await system.send("none@sink.test", "Subject: x\n\nx", "u1@box.test");
  for (const status of ["deferred", "bounced"]) {
    const line = `to=<\\w+@sink\\.test>.*status=${status} \\(.*a\\?b`;
    await system.untilSaid(line, PATIENCE_MS);
  }
  await system.until(() => system.maildir("u1").length === 1, PATIENCE_MS);
  const [report] = system.maildir("u1");
  assertMatch(report!, /^Diagnostic-Code: smtp; 550 5\.1\.1 a\?b/m);
  assert(!HARMFUL.test(report!.replaceAll("\t", " ")), JSON.stringify(report));
  assert(!HARMFUL.test(system.output), JSON.stringify(HARMFUL.exec(system.output)));
  for (const option of ["-p", "-j"]) {
    const listing = await system.command(["postqueue", option]);
    assert(listing.includes(late) && !HARMFUL.test(listing), JSON.stringify(listing));
  }
  assertUnhurt(here);
});
