/** Kept sessions and several servers: the best that can be used are asked first, and nobody is held more sessions than help. */

import { assertEquals } from "@std/assert";
import type { Deliverer } from "./deliver.ts";
import { MAX_IDLE_OF_ONE } from "./pool.ts";
import {
  content,
  deliverer,
  request,
  type Script,
  settings,
  StubServer,
  zone,
} from "./stub_test_server.ts";

const LATER = {
  RCPT: (line: string) => line.includes("later") ? "450 4.2.0 Greylisted" : "250 ok",
};
const BUSY = "421 4.3.2 busy";

const DNS = zone({
  "MX x.test": ["10 mx1.test", "20 mx2.test"],
  "MX y.test": ["10 mx2.test"],
  "MX even.test": ["10 mx1.test", "10 mx2.test"],
  "A mx1.test": ["127.0.0.1"],
  "A mx2.test": ["127.0.0.2"],
});

/** The exchangers of x.test, on one port, with an agent that keeps sessions. */
class Site implements AsyncDisposable {
  private constructor(
    readonly first: StubServer,
    readonly second: StubServer,
    readonly agent: Deliverer,
  ) {}

  static async of(first: Script, second: Script, changed: Record<string, string> = {}) {
    const one = await new StubServer(first).listen();
    const two = await new StubServer(second).listen(one.port, "127.0.0.2");
    return new Site(one, two, deliverer(settings(changed), DNS));
  }

  /** Delivers to one recipient, at the port of these servers. */
  async deliver(recipient: string) {
    const nexthop = `${recipient.split("@")[1]}:${this.first.port}`;
    await this.agent.deliver(request(nexthop, [recipient], { keep: true }), content());
  }

  /** The recipients that a server was asked for, in their order. */
  asked(server: StubServer): string[] {
    return server.commands.flat().flatMap((line) => /^RCPT TO:<([^@]+)/.exec(line)?.[1] ?? []);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.agent.pool.close();
    await this.first[Symbol.asyncDispose]();
    await this.second[Symbol.asyncDispose]();
  }
}

Deno.test("deliver() asks the best server first, though a session with another was used last", async () => {
  await using site = await Site.of(LATER, {});
  for (const user of ["later1", "a", "b", "later2", "c"]) await site.deliver(`${user}@x.test`);
  assertEquals(site.asked(site.first), ["later1", "a", "b", "later2", "c"]);
  assertEquals(site.asked(site.second), ["later1", "later2"]);
  // Each with one session.
  assertEquals([site.first.commands.length, site.second.commands.length], [1, 1]);
});

Deno.test("deliver() has no more sessions than deliveries with each of two servers that say later", async () => {
  await using site = await Site.of(LATER, LATER);
  const users = Array.from({ length: 20 }, (_, n) => `later${n}@x.test`);
  for (let round = 0; round < 5; round++) {
    await Promise.all(users.map((user) => site.deliver(user)));
  }
  assertEquals(site.asked(site.second).length, 100);
  assertEquals([site.first.commands.length, site.second.commands.length], [20, 20]);
});

Deno.test("deliver() uses the second server's session again while the first takes none", async () => {
  await using site = await Site.of({ CONNECT: BUSY }, {});
  for (const user of ["a", "b", "c"]) await site.deliver(`${user}@x.test`);
  assertEquals([site.first.commands.length, site.second.commands.length], [1, 1]);
  assertEquals(site.asked(site.second), ["a", "b", "c"]);
});

Deno.test("deliver() goes back to the first server once one delivery has found it", async () => {
  let isBusy = true;
  await using site = await Site.of({ CONNECT: () => isBusy ? BUSY : "220 mx ESMTP" }, {});
  await site.deliver("a@x.test");
  isBusy = false;
  // One has the kept session, the other looks for a server.
  await Promise.all([site.deliver("b@x.test"), site.deliver("c@x.test")]);
  for (const user of ["d", "e"]) await site.deliver(`${user}@x.test`);
  assertEquals(site.asked(site.second), ["a", "b"]);
  assertEquals(site.asked(site.first), ["c", "d", "e"]);
});

Deno.test("deliver() uses sessions of all servers of one preference again", async () => {
  await using site = await Site.of({}, LATER);
  for (const user of ["later", "a", "b"]) await site.deliver(`${user}@even.test`);
  assertEquals(site.asked(site.second), ["later"]);
  assertEquals(site.asked(site.first), ["later", "a", "b"]);
  assertEquals([site.first.commands.length, site.second.commands.length], [1, 1]);
});

Deno.test("deliver() uses a session that was kept for another nexthop of the same server", async () => {
  await using site = await Site.of(LATER, {});
  await site.deliver("later@x.test");
  await site.deliver("a@y.test");
  assertEquals(site.second.commands.length, 1);
  assertEquals(site.asked(site.second), ["later", "a"]);
});

Deno.test("deliver() tries a further server anew when the session that was kept with it is dead", async () => {
  let mails = 0;
  await using site = await Site.of(LATER, { MAIL: () => ++mails === 2 ? "close" : "250 ok" });
  for (const user of ["later1", "later2"]) await site.deliver(`${user}@x.test`);
  assertEquals(site.second.commands.length, 2);
  assertEquals(site.asked(site.second).at(-1), "later2");
});

Deno.test("deliver() uses a further server's session no longer than smtp_connection_reuse_count_limit", async () => {
  await using site = await Site.of(LATER, {}, { smtp_connection_reuse_count_limit: "2" });
  for (const n of [1, 2, 3, 4]) await site.deliver(`later${n}@x.test`);
  assertEquals([site.first.commands.length, site.second.commands.length], [2, 2]);
});

Deno.test("deliver() keeps a fallback relay's session, and tries the nexthop's own server before it", async () => {
  await using relay = await new StubServer().listen();
  const changed = { smtp_fallback_relay: relay.nexthop };
  await using site = await Site.of({ CONNECT: BUSY }, { CONNECT: BUSY }, changed);
  for (const user of ["a", "b"]) await site.deliver(`${user}@x.test`);
  assertEquals([site.first.commands.length, relay.commands.length], [2, 1]);
  assertEquals(site.asked(relay), ["a", "b"]);
});

for (
  const [what, user, domain, deliveries] of [
    ["with one server", "u", "y.test", MAX_IDLE_OF_ONE + 20],
    // Each delivery has a session with both of its servers.
    ["for one nexthop", "later", "even.test", MAX_IDLE_OF_ONE - 10],
  ] as const
) {
  Deno.test(`deliver() keeps a bounded number of sessions ${what}`, async () => {
    await using site = await Site.of({}, LATER);
    await Promise.all(
      Array.from({ length: deliveries }, (_, n) => site.deliver(`${user}${n}@${domain}`)),
    );
    assertEquals(site.agent.pool.size, MAX_IDLE_OF_ONE);
  });
}
