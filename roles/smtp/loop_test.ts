/** Mail that would come back: to servers that turn out to be this host, and past those that are better than we. */

import { assertEquals } from "@std/assert";
import { until } from "../../tests/support/waiting.ts";
import type { DeliveryReply } from "../../shared/protocols/delivery.ts";
import {
  content,
  deliverer,
  logged,
  request,
  type Script,
  settings,
  StubServer,
  zone,
} from "./stub_test_server.ts";

/** Nobody listens at the last. */
const US = "127.0.0.3", OTHER = "127.0.0.78", DOWN = "127.0.0.77";
const X_TEST = {
  "MX x.test": ["10 a.test", "20 b.test"],
  "MX y.test": ["10 b.test"],
  "MX z.test": ["20 b.test", "30 a.test"],
  "A a.test": [DOWN],
  "A b.test": [OTHER],
};

function said({ outcomes }: DeliveryReply): string {
  return outcomes.map(({ status, dsn, text }) => `${status} ${dsn} ${text}`).join();
}

/** Delivers to `nexthop`, where the server at OTHER follows the script. */
async function deliverTo(nexthop: string, script: Script, changed: Record<string, string> = {}) {
  await using server = await new StubServer(script).listen(25, OTHER);
  const agent = deliverer(settings({ inet_interfaces: US, ...changed }), zone(X_TEST));
  const reply = await agent.deliver(request(nexthop), content());
  agent.pool.close();
  await until(() => server.commands[0]?.at(-1) === "QUIT");
  return { said: said(reply), lines: logged(), server };
}

/** Only port 25 is us. */
const ignore = Deno.uid() !== 0;

const LOOPS = "loops back to myself";
const ME = "250-Me.Test Hello\r\n250 PIPELINING";

for (
  const [why, nexthop, expected, changed] of [
    ["is the only one", "y.test", `bounced 5.4.6 mail for y.test ${LOOPS}`],
    ["is the best one", "z.test", `bounced 5.4.6 mail for z.test ${LOOPS}`],
    ["is not the best one", "x.test", `deferred 4.4.6 mail for x.test ${LOOPS}`],
    ["is named without MX", `[${OTHER}]`, `bounced 5.4.6 mail for [${OTHER}] ${LOOPS}`],
    [
      "comes after one that is down",
      `[${DOWN}], y.test`,
      `deferred 4.4.1 connect to ${DOWN}[${DOWN}]:25: Connection refused`,
    ],
    [
      "comes after one that is not there",
      "[gone.test], y.test",
      `bounced 5.4.6 mail for [gone.test], y.test ${LOOPS}`,
    ],
    [
      "is our relayhost",
      "y.test",
      `deferred 4.3.5 mail for y.test ${LOOPS}`,
      { relayhost: "y.test" },
    ],
    [
      "comes before a fallback relay",
      "y.test",
      `bounced 5.4.6 mail for y.test ${LOOPS}`,
      { smtp_fallback_relay: `[${OTHER}]` },
    ],
    [
      "is not the best one, before a fallback relay",
      "x.test",
      `deferred 4.4.6 mail for x.test ${LOOPS}`,
      { smtp_fallback_relay: `[${OTHER}]` },
    ],
    [
      "is our fallback relay",
      "[gone.test]",
      `deferred 4.3.5 mail for [gone.test] ${LOOPS}`,
      { smtp_fallback_relay: "y.test" },
    ],
  ] as [string, string, string, Record<string, string>?][]
) {
  Deno.test({
    name: `deliver() knows what to do when a server with our name ${why}`,
    ignore,
    async fn() {
      const seen = await deliverTo(nexthop, { EHLO: ME }, changed);
      assertEquals(seen.said, expected);
      assertEquals(seen.server.commands, [["EHLO me.test", "QUIT"]]);
      const name = nexthop === `[${OTHER}]` ? OTHER : "b.test";
      assertEquals(seen.lines.filter((line) => line.includes("my own hostname")), [
        `host ${name}[${OTHER}]:25 replied to HELO/EHLO with my own hostname me.test`,
      ]);
    },
  });
}

Deno.test({
  name: "deliver() knows its own name in the reply to HELO as well",
  ignore,
  async fn() {
    const seen = await deliverTo("y.test", { EHLO: "502 what", HELO: "250 me.test" });
    assertEquals(seen.said, `bounced 5.4.6 mail for y.test ${LOOPS}`);
  },
});

const REFUSED = `deferred 4.4.1 connect to a.test[${DOWN}]:25: Connection refused`;
const PRIMARY = "unable to find primary relay for x.test";

for (
  const [why, mx, expected, changed] of [
    ["is an exchanger by its name", ["10 a.test", "20 me.test"], REFUSED],
    ["is an exchanger by its address", ["10 a.test", "20 us.test"], REFUSED],
    [
      "is one beyond smtp_mx_address_limit",
      ["10 a.test", "20 b.test", "30 us.test"],
      REFUSED,
      { smtp_mx_address_limit: "1" },
    ],
    [
      "is the best exchanger",
      ["10 us.test", "20 a.test"],
      `bounced 5.4.6 mail for x.test ${LOOPS}`,
    ],
    [
      "is second to one without address",
      ["10 none.test", "20 us.test"],
      `deferred 4.4.4 ${PRIMARY}`,
    ],
    ["is none", ["10 a.test", "20 none.test"], "sent 2.0.0 250 2.0.0 Ok: queued as TEST"],
  ] as [string, string[], string, Record<string, string>?][]
) {
  for (const how of ["a fallback relay", "a second destination"]) {
    Deno.test(`deliver() knows whether it may use ${how} where this host ${why}`, async () => {
      await using relay = await new StubServer().listen();
      const [nexthop, fallback] = how === "a fallback relay"
        ? ["x.test", relay.nexthop]
        : [`x.test, ${relay.nexthop}`, ""];
      const agent = deliverer(
        settings({ inet_interfaces: US, smtp_fallback_relay: fallback, ...changed }),
        zone({ ...X_TEST, "MX x.test": mx, "A us.test": [US], "A none.test": "none" }),
      );
      const reply = await agent.deliver(request(nexthop), content());
      agent.pool.close();
      assertEquals(said(reply), expected);
    });
  }
}
