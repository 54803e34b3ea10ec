/** Several servers of one message: nothing bounces that one of them takes, now or later. */

import { assertEquals } from "@std/assert";
import {
  content,
  deliverer,
  request,
  type Script,
  settings,
  StubServer,
  zone,
} from "./stub_test_server.ts";

const NOWHERE = "[gone.test]:25";
const LATER = { RCPT: "450 4.2.0 Greylisted" };

for (
  const [why, nexthop, expected] of [
    ["defers after", (later: string) => `${later}, ${NOWHERE}`, "4.2.0"],
    ["sees the same before", (later: string) => `${NOWHERE}, ${later}`, "4.2.0"],
    ["bounces, without such a server, after", () => `${NOWHERE}, [away.test]:25`, "5.4.4"],
  ] as [string, (later: string) => string, string][]
) {
  Deno.test(`deliver() ${why} a server that says later, where another does not exist`, async () => {
    await using later = await new StubServer(LATER).listen();
    const agent = deliverer(settings(), zone({}));
    const { outcomes } = await agent.deliver(request(nexthop(later.nexthop)), content());
    assertEquals(outcomes.map(({ dsn }) => dsn), [expected]);
  });
}

Deno.test("deliver() bounces nothing for a relayhost of several names that do not exist", async () => {
  const relayhost = `[one.test]:25, [two.test]:25`;
  const agent = deliverer(settings({ relayhost }), zone({}));
  const { outcomes } = await agent.deliver(request(relayhost), content());
  assertEquals(outcomes.map(({ status, dsn }) => [status, dsn]), [["deferred", "4.3.5"]]);
});

const offering = (...features: string[]): Script => ({
  EHLO: ["250-mx.test", ...features.map((each) => `250-${each}`), "250 PIPELINING"].join("\r\n"),
});
const MUCH = offering("SIZE 50000", "SMTPUTF8"), LITTLE = offering("SIZE 1000");
const BUSY = { CONNECT: "421 4.3.2 busy" };

for (
  const [what, recipient, changed, dsn] of [
    ["a size", "a@x.test", { size: 5000 }, "5.3.4"],
    ["SMTPUTF8", "\u00e4@x.test", { smtputf8: true }, "5.6.7"],
  ] as const
) {
  const asked = (nexthop: string) => request(nexthop, [recipient], { ...changed, keep: true });

  Deno.test(`deliver() asks the first server for ${what} that a kept session has not`, async () => {
    let isBusy = true;
    const CONNECT = () => isBusy ? BUSY.CONNECT : "220 mx.test ESMTP";
    await using first = await new StubServer({ ...MUCH, CONNECT }).listen();
    await using second = await new StubServer(LITTLE).listen();
    const nexthop = `${first.nexthop}, ${second.nexthop}`, agent = deliverer();
    const statuses = [];
    for (const each of [request(nexthop, undefined, { keep: true }), asked(nexthop)]) {
      const { outcomes } = await agent.deliver(each, content());
      statuses.push(outcomes[0]!.status);
      isBusy = false;
    }
    agent.pool.close();
    assertEquals(statuses, ["sent", "sent"]);
    assertEquals([first.contents.length, second.contents.length], [1, 1]);
  });

  for (
    const [why, one, two, expected] of [
      ["sends to a second server", LITTLE, MUCH, "2.0.0"],
      ["bounces where no server has", LITTLE, LITTLE, dsn],
      ["defers while the other server is busy, before one without", BUSY, LITTLE, "4.3.2"],
      ["defers while the other server is busy, after one without", LITTLE, BUSY, "4.3.2"],
    ] as [string, Script, Script, string][]
  ) {
    Deno.test(`deliver() ${why} ${what}`, async () => {
      await using first = await new StubServer(one).listen();
      await using second = await new StubServer(two).listen();
      const agent = deliverer();
      const { outcomes } = await agent.deliver(
        asked(`${first.nexthop}, ${second.nexthop}`),
        content(),
      );
      agent.pool.close();
      assertEquals(outcomes.map((each) => each.dsn), [expected]);
    });
  }
}

for (
  const [what, script, expected] of [
    ["sends to", {}, ["2.0.0", "2.0.0"]],
    ["is refused by", { MAIL: "550 5.7.1 no" }, ["5.7.1", "2.0.0"]],
  ] as [string, Script, string[]][]
) {
  Deno.test(`deliver() ${what} a server without SMTPUTF8, and leaves who needs it to the next`, async () => {
    await using first = await new StubServer({ ...LITTLE, ...script }).listen();
    await using second = await new StubServer(MUCH).listen();
    const agent = deliverer(), to = ["a@x.test", "\u00e4@x.test"];
    const { outcomes } = await agent.deliver(
      request(`${first.nexthop}, ${second.nexthop}`, to),
      content(),
    );
    agent.pool.close();
    assertEquals(outcomes.map((each) => [each.n, each.dsn]), [[0, expected[0]], [1, expected[1]]]);
    assertEquals(second.commands[0]!.filter((line) => line.startsWith("RCPT")).length, 1);
  });
}
