/** Several servers of one message: nothing bounces that one of them takes, now or later. */

import { assertEquals } from "@std/assert";
import { content, deliverer, request, settings, StubServer, zone } from "./stub_test_server.ts";

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
