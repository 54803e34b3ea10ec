import { assertEquals, assertMatch } from "@std/assert";
import { until } from "../../tests/support/waiting.ts";
import { content, deliverer, logged, request, settings, StubServer } from "./stub_test_server.ts";

Deno.test("deliver() uses a kept session again, and says so in the log", async () => {
  await using server = await new StubServer().listen();
  const agent = deliverer();
  for (let i = 0; i < 3; i++) {
    await agent.deliver(request(server.nexthop, undefined, { keep: true }), content());
  }
  assertEquals(server.commands.length, 1);
  assertEquals(server.commands[0]!.filter((line) => line.startsWith("MAIL")).length, 3);
  const uses = logged().map((line) => /conn_use=(\d+)/.exec(line)?.[1]);
  assertEquals(uses, [undefined, "2", "3"]);
  agent.pool.close();
  await until(() => server.commands[0]!.at(-1) === "QUIT");
});

Deno.test("deliver() ends a session when no more mail is likely", async () => {
  await using server = await new StubServer().listen();
  const agent = deliverer();
  await agent.deliver(request(server.nexthop), content());
  assertEquals(agent.pool.size, 0);
  await until(() => server.commands[0]!.at(-1) === "QUIT");
});

Deno.test("deliver() keeps a session when mail comes in quick succession", async () => {
  await using server = await new StubServer().listen();
  const agent = deliverer();
  for (let i = 0; i < 3; i++) await agent.deliver(request(server.nexthop), content());
  assertEquals(server.commands.length, 2);
  agent.pool.close();
});

Deno.test("deliver() ends an unused session after smtp_connection_cache_time_limit", async () => {
  await using server = await new StubServer().listen();
  const agent = deliverer(settings({ smtp_connection_cache_time_limit: "1s" }));
  await agent.deliver(request(server.nexthop, undefined, { keep: true }), content());
  assertEquals(agent.pool.size, 1);
  await until(() => agent.pool.size === 0);
  await until(() => server.commands[0]!.at(-1) === "QUIT");
});

Deno.test("deliver() does not notice the death of a kept session but by its absence", async () => {
  await using server = await new StubServer().listen();
  const agent = deliverer();
  await agent.deliver(request(server.nexthop, undefined, { keep: true }), content());
  server.hangUp();
  await until(() => agent.pool.size === 0);
  const reply = await agent.deliver(request(server.nexthop), content());
  assertEquals(reply.outcomes[0]!.status, "sent");
  agent.pool.close();
});

for (
  const [why, answer] of [["hangs up", "close"], ["says 421", "421 4.4.2 idle too long"]] as const
) {
  Deno.test(`deliver() takes a fresh session when the kept one ${why} at MAIL`, async () => {
    await using server = await new StubServer({
      MAIL: (_line, session) => session === 0 && ++mails > 1 ? answer : "250 ok",
    }).listen();
    let mails = 0;
    const agent = deliverer();
    await agent.deliver(request(server.nexthop, undefined, { keep: true }), content());
    const reply = await agent.deliver(request(server.nexthop), content());
    assertEquals(reply.outcomes[0]!.status, "sent");
    assertEquals(reply.siteProblem, null);
    assertEquals([server.commands.length, server.contents.length], [2, 2]);
    agent.pool.close();
  });
}

Deno.test("deliver() does not send twice when a kept session dies after MAIL", async () => {
  let mails = 0;
  await using server = await new StubServer({
    MAIL: () => (mails++, "250 ok"),
    ".": () => mails === 2 ? "close" : "250 ok",
  }).listen();
  const agent = deliverer();
  await agent.deliver(request(server.nexthop, undefined, { keep: true }), content());
  const reply = await agent.deliver(request(server.nexthop), content());
  assertEquals(reply.outcomes[0]!.status, "deferred");
  assertMatch(reply.outcomes[0]!.text, /message may be sent more than once$/);
  assertEquals(server.commands.length, 1);
  agent.pool.close();
});

Deno.test("deliver() resets a kept session whose last transaction was refused", async () => {
  let bad = false;
  await using server = await new StubServer({
    RCPT: (line) => {
      bad = line.includes("bad");
      return bad ? "550 5.1.1 no" : "250 ok";
    },
    DATA: () => bad ? "554 no recipients" : "354 go",
  }).listen();
  const agent = deliverer();
  const keep = { keep: true };
  await agent.deliver(request(server.nexthop, ["bad@example.com"], keep), content());
  const reply = await agent.deliver(request(server.nexthop, ["ok@example.com"], keep), content());
  assertEquals(reply.outcomes[0]!.status, "sent");
  assertEquals(server.commands.length, 1);
  assertEquals(server.commands[0]!.slice(4, 6), ["RSET", "MAIL FROM:<from@example.org> SIZE=12"]);
  agent.pool.close();
});

Deno.test("deliver() keeps no session that speaks unasked", async () => {
  await using server = await new StubServer({ ".": "250 ok\r\n250 and more" }).listen();
  const agent = deliverer();
  await agent.deliver(request(server.nexthop, undefined, { keep: true }), content());
  await until(() => agent.pool.size === 0);
  agent.pool.close();
});

Deno.test("deliver() leads many deliveries at once, each with its own session", async () => {
  await using server = await new StubServer().listen();
  const agent = deliverer();
  const replies = await Promise.all(
    Array.from(
      { length: 30 },
      () => agent.deliver(request(server.nexthop, undefined, { keep: true }), content()),
    ),
  );
  assertEquals(new Set(replies.map((reply) => reply.outcomes[0]!.status)), new Set(["sent"]));
  assertEquals(server.contents.length, 30);
  agent.pool.close();
  assertEquals(agent.pool.size, 0);
});

Deno.test("deliver() uses a session no longer than smtp_connection_reuse_count_limit", async () => {
  await using server = await new StubServer().listen();
  const agent = deliverer(settings({ smtp_connection_reuse_count_limit: "2" }));
  for (let i = 0; i < 4; i++) {
    await agent.deliver(request(server.nexthop, undefined, { keep: true }), content());
  }
  assertEquals(server.commands.length, 2);
  agent.pool.close();
});

Deno.test("deliver() keeps no session that does without TLS because mail has waited", async () => {
  await using server = await new StubServer({
    EHLO: "250-mx.test\r\n250-PIPELINING\r\n250 STARTTLS",
    STARTTLS: "close",
  }).listen();
  const agent = deliverer(settings({ smtp_tls_security_level: "may" }));
  const seen = [];
  for (const age of [301_000, 0]) {
    const changed = { keep: true, arrived: Date.now() - age };
    const { outcomes } = await agent.deliver(
      request(server.nexthop, undefined, changed),
      content(),
    );
    seen.push(outcomes[0]!.status);
  }
  agent.pool.close();
  assertEquals(seen, ["sent", "deferred"]);
  assertEquals(server.contents.length, 1);
});
