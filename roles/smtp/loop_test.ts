/** Mail that would come back: to servers that turn out to be this host. Only port 25 is us, so these tests need root. */

import { assertEquals } from "@std/assert";
import { until } from "../../tests/support/waiting.ts";
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

/** Nobody listens at the first. */
const DOWN = "127.0.0.77", OTHER = "127.0.0.78";
const X_TEST = {
  "MX x.test": ["10 a.test", "20 b.test"],
  "MX y.test": ["10 b.test"],
  "MX z.test": ["20 b.test", "30 a.test"],
  "A a.test": [DOWN],
  "A b.test": [OTHER],
};

/** Delivers to `nexthop`, where the server at OTHER follows the script. */
async function deliverTo(nexthop: string, script: Script, changed: Record<string, string> = {}) {
  await using server = await new StubServer(script).listen(25, OTHER);
  const agent = deliverer(settings({ inet_interfaces: "127.0.0.3", ...changed }), zone(X_TEST));
  const reply = await agent.deliver(request(nexthop), content());
  agent.pool.close();
  await until(() => server.commands[0]?.at(-1) === "QUIT");
  const [{ status, dsn, text } = { status: "", dsn: "", text: "" }] = reply.outcomes;
  return { said: `${status} ${dsn} ${text}`, lines: logged(), server };
}

const LOOPS = "loops back to myself";
const ME = "250-Me.Test Hello\r\n250 PIPELINING";

for (
  const [why, nexthop, said, changed] of [
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
      "is our fallback relay",
      "[gone.test]",
      `deferred 4.3.5 mail for [gone.test] ${LOOPS}`,
      { smtp_fallback_relay: "y.test" },
    ],
  ] as [string, string, string, Record<string, string>?][]
) {
  Deno.test({
    name: `deliver() knows what to do when a server with our name ${why}`,
    ignore: Deno.uid() !== 0,
    async fn() {
      const seen = await deliverTo(nexthop, { EHLO: ME }, changed);
      assertEquals(seen.said, said);
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
  ignore: Deno.uid() !== 0,
  async fn() {
    const { said } = await deliverTo("y.test", { EHLO: "502 what", HELO: "250 me.test" });
    assertEquals(said, `bounced 5.4.6 mail for y.test ${LOOPS}`);
  },
});
