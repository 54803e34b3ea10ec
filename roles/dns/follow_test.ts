import { assertEquals } from "@std/assert";
import packet from "dns-packet";
import { A, resolver, Stub } from "./test_name_server.ts";

Deno.test("query() asks for what an alias stands for when it comes alone", async () => {
  const cname = (name: string, data: string) => ({ name, type: "CNAME", ttl: 7, data });
  const zone: Record<string, unknown[]> = {
    "www.test": [cname("www.test", "Real.test")],
    "real.test": [A("real.test")],
    "empty.test": [cname("empty.test", "nothing.test")],
    "x.test": [cname("x.test", "y.test")],
    "y.test": [cname("y.test", "x.test")],
    "odd.test": [cname("odd.test", "")],
  };
  await using stub = await new Stub((query) => ({
    flags: packet.RECURSION_AVAILABLE,
    answers: zone[query.questions[0].name] ?? [],
  })).listen();
  const dns = resolver([stub.name]);
  const found = await dns.query("www.test", "A");
  assertEquals([found.status, found.records[0]?.data, found.ttl], ["ok", "192.0.2.1", 7]);
  assertEquals((await dns.query("empty.test", "A")).status, "none");
  assertEquals((await dns.query("odd.test", "A")).status, "fail");
  const before = stub.queries.length;
  assertEquals((await dns.query("x.test", "A")).text, "too many aliases");
  assertEquals(stub.queries.length - before, 11);
});

Deno.test("query() takes a referral for no answer, and asks the next server", async () => {
  const authorities = [{ name: "test", type: "NS", ttl: 60, data: "ns.elsewhere.test" }];
  await using lame = await new Stub(() => ({ authorities })).listen();
  await using good = await new Stub((query) => ({ answers: [A(query.questions[0].name)] }))
    .listen();
  assertEquals((await resolver([lame.name, good.name]).query("a.test", "A")).status, "ok");
  const alone = await resolver([lame.name]).query("a.test", "A");
  assertEquals([alone.status, alone.text], [
    "fail",
    "127.0.0.1: no answer, and does not ask others",
  ]);
});

for (
  const [who, flags] of [
    ["knows the zone", packet.AUTHORITATIVE_ANSWER],
    ["asks others", packet.RECURSION_AVAILABLE],
  ] as const
) {
  Deno.test(`query() believes a server that ${who} when it finds nothing`, async () => {
    await using stub = await new Stub(() => ({ flags })).listen();
    assertEquals((await resolver([stub.name]).query("a.test", "A")).status, "none");
  });
}
