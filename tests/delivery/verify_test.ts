/** sendmail -bv and -v: the sender is told by mail where recipients' mail would go, or went. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { Sink } from "../support/sink.ts";
import { freePort, System } from "../support/system.ts";

const SENDER = "u1@box.test";

/** A system whose sink refuses one recipient and puts off another, and routes to servers that are not there. */
async function scene(): Promise<{ system: System; sink: Sink } & AsyncDisposable> {
  const sink = await Sink.start({
    answer: (line) =>
      line === "RCPT TO:<no@sink.test>"
        ? "550 5.1.1 no such user"
        : line === "RCPT TO:<later@sink.test>"
        ? "450 4.2.1 come later"
        : undefined,
  });
  const routes = {
    "sink.test": `smtp:[127.0.0.1]:${sink.port}`,
    "dead.test": `smtp:[127.0.0.1]:${await freePort()}`,
    "gone.test": "error:5.1.2 gone for good",
    "away.test": "retry:4.3.1 away",
    "hole.test": "discard:thrown away",
  };
  const pairs = Object.entries(routes).map(([domain, route]) => `{${domain}=${route}}`);
  const system = await System.start({
    main: `transport_maps = inline:{ ${pairs.join(", ")} }\n` +
      "virtual_alias_maps = inline:{ alias@box.test=u2@box.test }",
  });
  return {
    system,
    sink,
    async [Symbol.asyncDispose]() {
      await system[Symbol.asyncDispose]();
      await sink[Symbol.asyncDispose]();
    },
  };
}

/** What a report says of each recipient: action, status, and the reason in words. */
function said(report: string): Record<string, string[]> {
  const fields = (group: string, name: string) =>
    new RegExp(`^${name}: (.*(?:\n .*)*)$`, "m").exec(group)?.[1]?.replace(/\n +/g, " ") ?? "";
  const groups = report.split(/\n(?=Final-Recipient: )/).slice(1);
  return Object.fromEntries(groups.map((group) => [
    fields(group, "Final-Recipient").replace("rfc822; ", ""),
    ["Action", "Status", "Diagnostic-Code"].map((name) => fields(group, name)),
  ]));
}

const reports = (system: System) =>
  system.maildir("u1").filter((text) => /^Subject: Mail Delivery Status Report$/m.test(text));

Deno.test("sendmail -bv reports on each recipient, and no server is sent any content", async () => {
  await using placed = await scene();
  const { system, sink } = placed;
  const to = ["ok@sink.test", "no@sink.test", "later@sink.test", "x@dead.test", "x@gone.test"];
  const here = ["x@away.test", "x@hole.test", "u2@box.test", "nobody@box.test"];
  const out = await system.command(["sendmail", "-bv", "-f", SENDER, ...to, ...here]);
  assertEquals(out, `Mail Delivery Status Report will be mailed to <${SENDER}>.\n`);
  await system.until(() => reports(system).length === 1);
  const server = `127.0.0.1[127.0.0.1]:${sink.port}`;
  const [report] = reports(system);
  const { "x@dead.test": dead, ...others } = said(report!);
  assertEquals(dead!.slice(0, 2), ["undeliverable", "4.4.1"]);
  assertMatch(dead![2]!, /^X-Postern; connect to 127\.0\.0\.1.*: Connection refused$/);
  assertEquals(others, {
    "ok@sink.test": ["deliverable", "2.0.0", "smtp; 250 ok"],
    "no@sink.test": ["undeliverable", "5.1.1", "smtp; 550 5.1.1 no such user"],
    "later@sink.test": ["undeliverable", "4.2.1", "smtp; 450 4.2.1 come later"],
    "x@gone.test": ["undeliverable", "5.1.2", "X-Postern; gone for good"],
    "x@away.test": ["undeliverable", "4.3.1", "X-Postern; away"],
    "x@hole.test": ["deliverable", "2.0.0", "X-Postern; thrown away"],
    "u2@box.test": [
      "deliverable",
      "2.0.0",
      "X-Postern; delivery via virtual: delivers to maildir",
    ],
    "nobody@box.test": [
      "undeliverable",
      "5.1.1",
      'X-Postern; delivery via virtual: unknown user: "nobody@box.test"',
    ],
  });
  assert(report!.includes(`\n<ok@sink.test>: delivery via ${server}: 250 ok\n`));
  assertEquals([sink.count, sink.heard.includes("DATA"), sink.heard.includes("RSET")], [
    0,
    false,
    true,
  ]);
  assertEquals(system.maildir("u2"), []);
  await system.untilEmpty();
  assertEquals(system.maildir("u1").length, 1);
  await system.untilSaid(
    /: to=<ok@sink\.test>, relay=\S+, delay=\S+, delays=\S+, dsn=2\.0\.0, status=deliverable \(250 ok\)\n/,
  );
  await system.untilSaid(/: to=<later@sink\.test>, .*, dsn=4\.2\.1, status=undeliverable \(/);
});

Deno.test("sendmail -v delivers, and reports on the first attempt at each recipient once", async () => {
  await using placed = await scene();
  const { system, sink } = placed;
  const to = ["ok@sink.test", "no@sink.test", "later@sink.test", "alias@box.test"];
  await system.command(
    ["sendmail", "-v", "-f", SENDER, ...to],
    "Subject: x\n\nthe text\n",
  );
  await system.until(() => system.maildir("u1").length === 2);
  const [report] = reports(system);
  assertEquals(said(report!), {
    "ok@sink.test": ["relayed", "2.0.0", "smtp; 250 kept"],
    "no@sink.test": ["failed", "5.1.1", "smtp; 550 5.1.1 no such user"],
    "later@sink.test": ["delayed", "4.2.1", "smtp; 450 4.2.1 come later"],
    "u2@box.test": [
      "delivered",
      "2.0.0",
      "X-Postern; delivery via virtual: delivered to maildir",
    ],
  });
  assertMatch(
    report!,
    /^<u2@box\.test> \(expanded from <alias@box\.test>\): delivery via virtual/m,
  );
  assertEquals([sink.count, system.maildir("u2").length], [1, 1]);
  // What failed comes back as ever; what is delayed waits, and its next attempt is nobody's news.
  const isDeferred = async () => (await system.listing())[0]?.queue_name === "deferred";
  await system.until(isDeferred);
  const [waiting] = await system.listing();
  await system.command(["postqueue", "-i", waiting!.queue_id]);
  await system.until(() => (system.output.match(/to=<later@sink\.test>/g) ?? []).length === 2);
  await system.until(isDeferred);
  assertEquals(system.maildir("u1").length, 2);
});
