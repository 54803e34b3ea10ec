/** Replies that are not what RFC 5321 4.2 says: whatever is made of them, none is taken for that of another command. */

import { assertEquals, assertMatch } from "@std/assert";
import {
  content,
  deliverer,
  outcomes,
  request,
  type Script,
  settings,
  slowly,
  streamed,
  StubServer,
} from "./stub_test_server.ts";
import { pause } from "../../tests/support/waiting.ts";

/** One reply or parts of several: nobody knows. */
const MALFORMED: [why: string, reply: string][] = [
  ["has a line without code inside", "550-5.1.1 a\r\nSee http://x.test/\r\n550 5.1.1 b"],
  ["has an empty line inside", "250-2.0.0 a\r\n\r\n250 2.0.0 b"],
  ["comes after a line without code", "debug: on\r\n250 2.0.0 ok"],
  ["begins with another code", "250-2.0.0 a\r\n550 5.0.0 b"],
  ["ends with another code", "550-5.0.0 a\r\n250 2.0.0 b"],
  ["has a code that there is not", "150 wait\r\n250 2.0.0 ok"],
];

const HELLOS = { "pipelines": "250-mx.test\r\n250 PIPELINING", "does not pipeline": "250 mx.test" };

const TEXT = /^protocol error of 127\S+ while sending RCPT TO: malformed reply: /;

for (const [why, reply] of MALFORMED) {
  for (const [how, EHLO] of Object.entries(HELLOS)) {
    Deno.test(`deliver() defers recipients from the one on whose reply ${why}, when the server ${how}`, async () => {
      const script: Script = {
        EHLO,
        RCPT: (line) =>
          line.includes("bad") ? "550 5.1.1 no" : line.includes("b@") ? reply : "250 ok",
      };
      const to = ["bad@x", "a@x", "b@x", "c@x", "bad2@x"];
      const { seen, reply: said, server } = await outcomes(script, {}, to);
      assertEquals(seen.map(([status, dsn]) => `${status} ${dsn}`), [
        "bounced 5.1.1",
        ...Array.from({ length: 4 }, () => "deferred 4.5.0"),
      ]);
      assertMatch(said.outcomes[3]!.text, TEXT);
      assertEquals([server.commands.length, server.contents], [1, []]);
    });
  }

  Deno.test(`deliver() defers LMTP recipients from the one on whose reply ${why}`, async () => {
    await using server = await new StubServer({
      ".": (n) => ["250 2.0.0 first", reply, "452 4.2.2 full", "250 2.0.0 last"][Number(n)]!,
    }, true).listen();
    const agent = deliverer(settings({}, "lmtp"));
    const asked = request(server.nexthop, ["a@x", "b@x", "full@x", "d@x"], { keep: true });
    const said = await agent.deliver(asked, content());
    assertEquals(agent.pool.size, 0);
    assertEquals(said.outcomes.map((each) => [each.n, each.status, each.dsn]), [
      [0, "sent", "2.0.0"],
      [1, "deferred", "4.5.0"],
      [2, "deferred", "4.5.0"],
      [3, "deferred", "4.5.0"],
    ]);
  });
}

for (
  const [step, script] of [
    ["MAIL", { MAIL: "250-ok\r\nso far\r\n250 ok" }],
    ["DATA", { DATA: "354-go\r\nahead\r\n354 go" }],
    ["the end of data", { ".": "250-queued\r\nas 1\r\n250 ok" }],
    ["STARTTLS, which could be done without", {
      EHLO: "250-mx.test\r\n250 STARTTLS",
      STARTTLS: "no key\r\n454 4.7.0 no key",
    }],
  ] as [string, Script][]
) {
  Deno.test(`deliver() defers after a malformed reply to ${step}`, async () => {
    const { seen, server } = await outcomes(script, { smtp_tls_security_level: "may" });
    assertEquals(seen.map(([status]) => status), ["deferred"]);
    assertMatch(seen[0]![2]!, /^protocol error of .*: malformed reply: /);
    assertEquals(server.commands.length, 1);
  });
}

Deno.test("deliver() believes nothing that follows a malformed reply in the content", async () => {
  const early = "354 go\r\nnoise\r\n550 5.7.1 no";
  await using server = await new StubServer({ DATA: early }).listen();
  const slow = slowly(streamed(["b\r\n"]), () => pause(100));
  const { outcomes } = await deliverer().deliver(request(server.nexthop), slow);
  assertEquals(outcomes.map(({ status, dsn }) => [status, dsn]), [["deferred", "4.5.0"]]);
});

for (
  const [where, script] of [
    ["the greeting", { CONNECT: "220-mx.test ESMTP\r\nNo entry!\r\n\r\n220 ready" }],
    ["EHLO", { EHLO: "250-mx.test\r\nNo entry!\r\n250 PIPELINING" }],
  ] as [string, Script][]
) {
  Deno.test(`deliver() skips lines without code inside the reply to ${where}: nothing else is asked`, async () => {
    const { seen } = await outcomes(script);
    assertEquals(seen, [["sent", "2.0.0", "250 2.0.0 Ok: queued as TEST"]]);
  });
}

Deno.test("deliver() waits for the end of a greeting no longer than smtp_helo_timeout", async () => {
  const { seen } = await outcomes({ CONNECT: "220-mx.test ESMTP\r\nNo entry!" }, {
    smtp_helo_timeout: "1s",
  });
  assertMatch(seen[0]![2]!, /timed out while receiving the initial server greeting$/);
});
