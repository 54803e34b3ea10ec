/** Recipients that are only verified (sendmail -bv): the server is asked about them, and sent nothing. */

import { assertEquals, assertMatch } from "@std/assert";
import { content, deliverer, logged, request, settings, StubServer } from "./stub_test_server.ts";

const NONE = () => content("");

for (
  const [how, hello] of [["pipelines", "250-mx\r\n250 PIPELINING"], ["does not pipeline", "250 mx"]]
) {
  Deno.test(`deliver() asks a server that ${how} about each recipient, and leaves`, async () => {
    const answers: Record<string, string> = {
      "RCPT TO:<no@x>": "550 5.1.1 unknown",
      "RCPT TO:<later@x>": "451 4.3.0 busy",
    };
    await using server = await new StubServer({
      EHLO: hello!,
      RCPT: (line) => answers[line] ?? "250 2.1.5 Ok",
    }).listen();
    const agent = deliverer();
    const asked = request(server.nexthop, ["yes@x", "no@x", "later@x"], {
      trace: "verify",
      keep: true,
    });
    const { outcomes, siteProblem } = await agent.deliver(asked, NONE());
    const relay = `127.0.0.1[127.0.0.1]:${server.port}`;
    const said = "host 127.0.0.1[127.0.0.1] said:";
    assertEquals(
      outcomes.sort((a, b) => a.n - b.n).map((
        each,
      ) => [each.status, each.dsn, each.text, each.relay]),
      [
        ["deliverable", "2.1.5", "250 2.1.5 Ok", relay],
        [
          "undeliverable",
          "5.1.1",
          `${said} 550 5.1.1 unknown (in reply to RCPT TO command)`,
          relay,
        ],
        ["undeliverable", "4.3.0", `${said} 451 4.3.0 busy (in reply to RCPT TO command)`, relay],
      ],
    );
    assertEquals(siteProblem, null);
    assertEquals(server.commands[0]!.slice(2), [
      ...["RCPT TO:<yes@x>", "RCPT TO:<no@x>", "RCPT TO:<later@x>"],
      "RSET",
    ]);
    assertMatch(
      logged()[0]!,
      /: to=<yes@x>, relay=\S+, delay=\S+, delays=\S+, dsn=2\.1\.5, status=deliverable \(250 2\.1\.5 Ok\)$/,
    );
    // The session serves the next message, which is sent.
    const next = await agent.deliver(request(server.nexthop), content());
    agent.pool.close();
    assertEquals(next.outcomes.map(({ status }) => status), ["sent"]);
    assertEquals([server.commands.length, server.contents.length], [1, 1]);
  });
}

for (
  const [what, script, dsn] of [
    ["refuses the sender", { MAIL: "550 5.7.1 not you" }, "5.7.1"],
    ["puts the sender off", { MAIL: "451 4.7.1 not now" }, "4.7.1"],
    ["does not talk to us", { CONNECT: "554 5.3.2 go away" }, "4.3.2"],
    ["hangs up", { RCPT: "close" }, "4.4.2"],
  ] as const
) {
  Deno.test(`deliver() finds nobody deliverable where the server ${what}`, async () => {
    await using server = await new StubServer(script).listen();
    const agent = deliverer();
    const asked = request(server.nexthop, ["a@x", "b@x"], { trace: "verify" });
    const { outcomes } = await agent.deliver(asked, NONE());
    agent.pool.close();
    assertEquals(outcomes.map(({ status, dsn }) => [status, dsn]), [
      ["undeliverable", dsn],
      ["undeliverable", dsn],
    ]);
    assertEquals(server.commands.flat().includes("DATA"), false);
  });
}

for (const reset of ["close", "421 4.3.2 bye", "500 5.5.2 what"]) {
  Deno.test(`deliver() believes a server that answers RSET with "${reset}", and does not use it again`, async () => {
    await using server = await new StubServer({ RSET: reset }).listen();
    const agent = deliverer();
    const asked = request(server.nexthop, ["a@x"], { trace: "verify", keep: true });
    const { outcomes } = await agent.deliver(asked, NONE());
    assertEquals(outcomes.map(({ status }) => status), ["deliverable"]);
    assertEquals(agent.pool.size, 0);
  });
}

Deno.test("deliver() asks in plain text where TLS breaks: nobody tries again", async () => {
  const script = { EHLO: "250-mx.test\r\n250 STARTTLS", STARTTLS: "close" };
  await using server = await new StubServer(script).listen();
  const agent = deliverer(settings({ smtp_tls_security_level: "may" }));
  const asked = request(server.nexthop, ["a@x"], { trace: "verify" });
  const { outcomes } = await agent.deliver(asked, NONE());
  agent.pool.close();
  assertEquals(outcomes.map(({ status }) => status), ["deliverable"]);
  assertEquals(server.commands.map((each) => each[1]!.split(" ")[0]), ["STARTTLS", "MAIL"]);
});

Deno.test("deliver() verifies by LMTP, too", async () => {
  await using server = await new StubServer({}, true).listen();
  const agent = deliverer(settings({}, "lmtp"));
  const asked = request(`inet:127.0.0.1:${server.port}`, ["a@x", "b@x"], { trace: "verify" });
  const { outcomes } = await agent.deliver(asked, NONE());
  agent.pool.close();
  assertEquals(outcomes.map(({ status }) => status), ["deliverable", "deliverable"]);
  assertEquals(server.contents, []);
});

Deno.test("deliver() names the relay, and who reports, of mail whose first attempt is to be reported", async () => {
  for (
    const [hello, success] of [["250-mx\r\n250 DSN", "passed"], ["250 mx", "relayed"]] as const
  ) {
    await using server = await new StubServer({ EHLO: hello }).listen();
    const agent = deliverer();
    const { outcomes: [outcome] } = await agent.deliver(
      request(server.nexthop, ["a@x"], { trace: "deliver" }),
      content(),
    );
    agent.pool.close();
    const relay = `127.0.0.1[127.0.0.1]:${server.port}`;
    assertEquals([outcome!.status, outcome!.success, outcome!.relay], ["sent", success, relay]);
    assertEquals(server.contents.length, 1);
  }
});
