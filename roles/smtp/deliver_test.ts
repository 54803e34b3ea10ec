import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { pause, until } from "../../tests/support/waiting.ts";
import type { Again } from "./job.ts";
import {
  content,
  deliverer,
  logged,
  outcomes,
  request,
  type Script,
  SEAL,
  settings,
  slowly,
  streamed,
  StubServer,
  zone,
} from "./stub_test_server.ts";

Deno.test("deliver() sends a message in two writes when the server pipelines", async () => {
  const { server, seen, reply } = await outcomes({});
  assertEquals(seen, [["sent", "2.0.0", "250 2.0.0 Ok: queued as TEST"]]);
  assertEquals(reply.siteProblem, null);
  assertEquals(reply.outcomes[0]!.remoteMta, "127.0.0.1");
  assertEquals(server.reads.slice(0, 3), [
    "EHLO me.test\r\n",
    "MAIL FROM:<from@example.org> SIZE=12\r\n" +
    "RCPT TO:<to@example.com> ORCPT=rfc822;to@example.com\r\nDATA\r\n",
    "Subject: x\r\n\r\nbody\r\n.\r\n",
  ]);
  const [line] = logged();
  assertMatch(
    line!,
    /^4dXyZ12345z1: to=<to@example\.com>, relay=127\.0\.0\.1\[127\.0\.0\.1\]:\d+, delay=\S+, delays=\S+\/\S+\/\S+\/\S+, dsn=2\.0\.0, status=sent \(250 2\.0\.0 Ok: queued as TEST\)$/,
  );
});

Deno.test("deliver() logs how long it took, whatever somebody sets the clock to meanwhile", async () => {
  const { now } = Date;
  try {
    await outcomes({
      EHLO: () => {
        Date.now = () => now() + 24 * 3600 * 1000;
        return "250 Ok";
      },
    });
  } finally {
    Date.now = now;
  }
  const [, , connecting, sending] = /delays=(\S+),/.exec(logged()[0]!)![1]!.split("/").map(Number);
  assert(connecting! < 60 && sending! < 60, `${connecting} and ${sending} seconds`);
});

Deno.test("deliver() falls back to HELO and one command at a time", async () => {
  const { server, seen } = await outcomes({ EHLO: "500 what" });
  assertEquals(seen[0]![0], "sent");
  assertEquals(server.commands[0]!.slice(0, 5), [
    "EHLO me.test",
    "HELO me.test",
    "MAIL FROM:<from@example.org>",
    "RCPT TO:<to@example.com>",
    "DATA",
  ]);
});

Deno.test("deliver() falls back to HELO when EHLO is refused for the moment", async () => {
  const { server, seen } = await outcomes({ EHLO: "450 4.7.1 not that" });
  assertEquals(seen[0]![0], "sent");
  assertEquals(server.commands[0]!.slice(0, 2), ["EHLO me.test", "HELO me.test"]);
});

Deno.test("deliver() sends no content to a server that goes ahead without a recipient", async () => {
  const { server, seen } = await outcomes({ RCPT: "550 5.1.1 no", DATA: "354 go" });
  assertEquals(seen[0]![0], "bounced");
  await until(() => server.contents.length > 0);
  assertEquals(server.contents, [""]);
});

Deno.test("deliver() tells a server with DSN whom the sender wrote to", async () => {
  await using server = await new StubServer().listen();
  const asked = request(server.nexthop, ["real@example.com"]);
  Object.assign(asked.recipients[0]!, { original: 'a b+c="d@example.com' });
  await deliverer().deliver(asked, content());
  assertEquals(
    server.commands[0]![2],
    'RCPT TO:<real@example.com> ORCPT=rfc822;"a+20b+2Bc+3D\\"d"@example.com',
  );
});

const H = "127.0.0.1[127.0.0.1]";

Deno.test("deliver() stuffs dots, and passes parameters on that the server offers", async () => {
  await using server = await new StubServer().listen();
  const agent = deliverer();
  const asked = request(server.nexthop, ["a b@example.com"], {
    body: "8bit",
    ret: "HDRS",
    envid: "id+2B1",
  });
  asked.recipients[0]!.notify.push("SUCCESS", "DELAY");
  Object.assign(asked.recipients[0]!, { orcpt: "rfc822;x@example.com" });
  await agent.deliver(asked, content(".a\r\n..b\r\nc.\r\n.\r\n"));
  assertEquals(server.contents, ["..a\r\n...b\r\nc.\r\n..\r\n"]);
  assertEquals(server.commands[0]!.slice(1, 3), [
    "MAIL FROM:<from@example.org> SIZE=12 BODY=8BITMIME RET=HDRS ENVID=id+2B1",
    'RCPT TO:<"a b"@example.com> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;x@example.com',
  ]);
});

for (
  const [what, protocol, hello, success, assumeFinal = "no"] of [
    ["passed on to a server with DSN", "smtp", "250-mx\r\n250 DSN", "passed"],
    ["relayed to a server without", "smtp", "250 mx", "relayed"],
    ["relayed to a server without, whatever LMTP's are", "smtp", "250 mx", "relayed", "yes"],
    ["relayed by LMTP", "lmtp", "250 mx", "relayed"],
    ["delivered by LMTP, by lmtp_assume_final", "lmtp", "250 mx", "delivered", "yes"],
    ["passed on by LMTP", "lmtp", "250-mx\r\n250 DSN", "passed", "yes"],
  ] as const
) {
  Deno.test(`deliver() says that a success somebody wants to hear of was ${what}`, async () => {
    const script = { EHLO: hello, LHLO: hello };
    await using server = await new StubServer(script, protocol === "lmtp").listen();
    const agent = deliverer(settings({ lmtp_assume_final: assumeFinal }, protocol));
    const asked = request(server.nexthop, ["wants@x", "does-not@x"]);
    asked.recipients[0]!.notify.push("SUCCESS");
    const { outcomes } = await agent.deliver(asked, content());
    agent.pool.close();
    assertEquals(outcomes.map((each) => [each.status, each.success]), [
      ["sent", success],
      ["sent", undefined],
    ]);
  });
}

Deno.test("deliver() never lets an address add parameters or commands", async () => {
  await using server = await new StubServer().listen();
  const agent = deliverer();
  const reply = await agent.deliver(
    request(server.nexthop, ["x@y> NOTIFY=NEVER", "ok@example.com"]),
    content(),
  );
  assertEquals(reply.outcomes.map((each) => [each.n, each.dsn]), [[0, "5.1.3"], [1, "2.0.0"]]);
  assertEquals(server.commands[0]!.filter((line) => line.startsWith("RCPT")).length, 1);
});

Deno.test("deliver() bounces what needs SMTPUTF8 where it is not offered", async () => {
  const { seen } = await outcomes({}, {}, ["jösé@example.com"]);
  assertEquals(seen, [
    ["bounced", "5.6.7", `SMTPUTF8 is required, but was not offered by host ${H}`],
  ]);
});

Deno.test("deliver() bounces only who needs SMTPUTF8 where it is not offered", async () => {
  const { seen, server } = await outcomes({}, {}, ["a@x.test", "jösé@x.test", "b@x.test"]);
  assertEquals(seen.map(([, dsn]) => dsn), ["2.0.0", "5.6.7", "2.0.0"]);
  assertEquals(server.commands[0]!.filter((line) => line.startsWith("RCPT")).length, 2);
});

Deno.test("deliver() asks for SMTPUTF8 where it is needed and offered", async () => {
  const { server, seen } = await outcomes({ EHLO: "250-x\r\n250 SMTPUTF8" }, {}, [
    "jösé@example.com",
  ]);
  assertEquals(seen[0]![0], "sent");
  assertEquals(server.commands[0]![1], "MAIL FROM:<from@example.org> SMTPUTF8");
});

for (
  const [what, offer, known, expected, command] of [
    ["sends an ASCII header plainly", "SIZE", { utf8Header: false }, "2.0.0", /> SIZE=\d+$/],
    ["asks for SMTPUTF8", "SMTPUTF8", { utf8Header: true }, "2.0.0", / SMTPUTF8$/],
    ["bounces a header of UTF-8", "SIZE", { utf8Header: true }, "5.6.7", undefined],
    ["bounces a header that nobody has looked at", "SIZE", {}, "5.6.7", undefined],
  ] as const
) {
  Deno.test(`deliver() ${what} when the content comes in pieces`, async () => {
    const script = { EHLO: `250-mx.test\r\n250 ${offer}` };
    await using server = await new StubServer(script).listen();
    const asked = request(server.nexthop, ["a@example.com"], { smtputf8: true, ...known });
    const reply = await deliverer().deliver(asked, streamed(["Subject: x\r\n\r\n", "body\r\n"]));
    assertEquals(reply.outcomes.map(({ dsn }) => dsn), [expected]);
    const mail = server.commands[0]!.find((line) => line.startsWith("MAIL"));
    if (command) assertMatch(mail!, command);
    else assertEquals(mail, undefined);
  });
}

const UMLAUT = "Content-Transfer-Encoding: 8bit\r\n\r\n\u00e4\r\n.\r\n";
const NO_8BITMIME: Script = { EHLO: "250-mx.test\r\n250 PIPELINING", LHLO: "250 mx.test" };

for (
  const [why, script, changed, protocol, expected] of [
    ["converts", NO_8BITMIME, {}, "smtp", "quoted-printable\r\n\r\n=C3=A4\r\n..\r\n"],
    ["converts over LMTP", NO_8BITMIME, {}, "lmtp", "quoted-printable\r\n\r\n=C3=A4\r\n..\r\n"],
    ["sends as it is where the server takes it", {}, {}, "smtp", "8bit\r\n\r\n\xc3\xa4\r\n..\r\n"],
    [
      "sends as it is where disable_mime_output_conversion says so",
      NO_8BITMIME,
      { disable_mime_output_conversion: "yes" },
      "smtp",
      "8bit\r\n\r\n\xc3\xa4\r\n..\r\n",
    ],
  ] as [string, Script, Record<string, string>, "smtp" | "lmtp", string][]
) {
  Deno.test(`deliver() ${why} 8-bit content, whole and in chunks`, async () => {
    await using server = await new StubServer(script, protocol === "lmtp").listen();
    const agent = deliverer(settings(changed, protocol));
    for (const made of [content(UMLAUT), streamed([UMLAUT.slice(0, 30), UMLAUT.slice(30)])]) {
      await agent.deliver(request(server.nexthop, undefined, { body: "8bit" }), made);
    }
    agent.pool.close();
    const whole = `Content-Transfer-Encoding: ${expected}`;
    assertEquals(server.contents, [whole, whole]);
    assertEquals(server.commands[0]![1]!.includes("BODY=8BITMIME"), script !== NO_8BITMIME);
  });
}

Deno.test("deliver() converts 8-bit parts of a message that was not said to be 8-bit", async () => {
  await using server = await new StubServer(NO_8BITMIME).listen();
  const head = "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n";
  await deliverer().deliver(
    request(server.nexthop, undefined, { body: "7bit" }),
    content(`${head}Content-Transfer-Encoding: 8bit\r\n\r\n\u00e4\r\n--b--\r\n\u00e4\r\n`),
  );
  assertEquals(server.contents, [
    `${head}Content-Transfer-Encoding: quoted-printable\r\n\r\n=C3=A4\r\n--b--\r\n\xc3\xa4\r\n`,
  ]);
});

Deno.test("deliver() streams content that comes in chunks", async () => {
  await using server = await new StubServer().listen();
  const part = "x".repeat(70) + "\r\n";
  const chunks = Array.from({ length: 6 }, () => part.repeat(900));
  const reply = await deliverer().deliver(request(server.nexthop), streamed(chunks));
  assertEquals(reply.outcomes[0]!.status, "sent");
  assertEquals(server.contents[0], chunks.join(""));
});

Deno.test("deliver() breaks off without end of data when content breaks off", async () => {
  await using server = await new StubServer().listen();
  await assertRejects(() =>
    deliverer().deliver(request(server.nexthop), streamed(["a\r\n", "b\r\n"], false))
  );
  await until(() => server.sockets.size === 0);
  assertEquals(server.contents, []);
});

Deno.test("deliver() takes a refusal that comes before the end of data", async () => {
  await using server = await new StubServer({ DATA: "354 go\r\n552 5.3.4 too much" }).listen();
  const made = streamed(["a\r\n".repeat(1000)], true);
  // The rest comes after the early reply has had time to arrive.
  const slow = slowly(made, () => pause(50));
  const reply = await deliverer().deliver(request(server.nexthop), slow);
  assertEquals(reply.outcomes[0]!.status, "bounced");
  assertEquals(
    reply.outcomes[0]!.text,
    `host ${H} said: 552 5.3.4 too much (in reply to end of DATA command)`,
  );
});

Deno.test("deliver() tries the next server for whoever was not decided", async () => {
  // Two addresses of the loopback network, one port: each is a server of its own.
  await using first = await new StubServer({
    RCPT: (line) =>
      line.includes("slow") ? "450 4.2.0 later" : line.includes("bad") ? "550 5.1.1 no" : "250 ok",
  }).listen();
  const agent = deliverer();
  await using fallback = await new StubServer().listen();
  const reply = await agent.deliver(
    request(`${first.nexthop} ${fallback.nexthop}`, ["slow@x", "ok@x", "bad@x"]),
    content(),
  );
  const by = Object.fromEntries(reply.outcomes.map((each) => [each.n, each.status]));
  assertEquals(by, { 0: "sent", 1: "sent", 2: "bounced" });
  assertEquals(fallback.commands[0]!.filter((line) => line.startsWith("RCPT")), [
    "RCPT TO:<slow@x> ORCPT=rfc822;slow@x",
  ]);
  assertEquals(
    logged().filter((line) => line.includes("said: 450") && !line.includes("status=")).length,
    1,
  );
  assertEquals(reply.siteProblem, null);
});

/** A delivery of content in chunks to a server that hangs up after DATA, then to a good one. */
async function afterBreak(again: Again) {
  await using breaking = await new StubServer({ DATA: "close" }).listen();
  const broken = new StubServer({ ".": "close" });
  await using first = await broken.listen();
  await using good = await new StubServer().listen();
  const nexthop = `${breaking.nexthop} ${first.nexthop} ${good.nexthop}`;
  const reply = await deliverer(settings(), undefined, again)
    .deliver(request(nexthop), streamed(["a\r\n", "b\r\n"]));
  return { reply, contents: [first.contents, good.contents] };
}

Deno.test("deliver() reads streamed content once more for the next server", async () => {
  const seals: string[] = [];
  const { reply, contents } = await afterBreak(({ seal }) => {
    seals.push(seal);
    return Promise.resolve(streamed(["a\r\n", "b\r\n"]));
  });
  assertEquals(reply.outcomes[0]!.status, "sent");
  // A server that never asked for content did not use it up.
  assertEquals(seals, [SEAL]);
  assertEquals(contents, [["a\r\nb\r\n"], ["a\r\nb\r\n"]]);
});

for (
  const [why, again] of [
    ["is refused", () => Promise.reject(new Error("no such delivery"))],
    ["breaks off", () => Promise.resolve(streamed(["a\r\n"], false))],
  ] as [string, Again][]
) {
  Deno.test(`deliver() defers, and ends no data, when content ${why} the second time`, async () => {
    const { reply, contents } = await afterBreak(again);
    assertEquals([reply.outcomes[0]!.status, reply.outcomes[0]!.dsn], ["deferred", "4.3.0"]);
    assertMatch(reply.outcomes[0]!.text, /^queue file could not be read again for 127\.0\.0\.1/);
    assertEquals([contents[1], reply.siteProblem], [[], null]);
  });
}

Deno.test("deliver() uses a fallback relay when the domain is not found, and defers without one", async () => {
  await using relay = await new StubServer().listen();
  const dns = zone({});
  const agent = deliverer(settings({ smtp_fallback_relay: relay.nexthop }), dns);
  const sent = await agent.deliver(request("gone.test"), content());
  assertEquals(sent.outcomes[0]!.status, "sent");
  const bounced = await deliverer(settings(), dns).deliver(request("gone.test"), content());
  assertEquals(bounced.outcomes[0]!.dsn, "5.4.4");
  const ours = deliverer(settings({ relayhost: "gone.test" }), dns);
  const deferred = await ours.deliver(request("gone.test"), content());
  assertEquals([deferred.outcomes[0]!.status, deferred.outcomes[0]!.dsn], ["deferred", "4.3.5"]);
});
