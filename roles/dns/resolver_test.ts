import { assertEquals, assertMatch } from "@std/assert";
import { Buffer } from "node:buffer";
import { createSocket } from "node:dgram";
import packet from "dns-packet";
import { setSink } from "../../shared/log/log.ts";
import { parseServer } from "./resolver.ts";
import { A, encode, type Query, resolver, SOA, Stub } from "./test_name_server.ts";

let clock = 1e6;

Deno.test("query() takes the records of the name and type that were asked", async () => {
  await using stub = await new Stub(() => ({
    answers: [
      { name: "EXAMPLE.test", type: "MX", ttl: 50, data: { exchange: "B.test", preference: 20 } },
      { name: "example.test", type: "MX", ttl: 70, data: { exchange: "a.test", preference: 10 } },
      { name: "other.test", type: "MX", ttl: 1, data: { exchange: "evil.test", preference: 1 } },
      A("example.test"),
    ],
    flags: packet.AUTHENTIC_DATA,
  })).listen();
  assertEquals(await resolver([stub.name]).query("Example.Test.", "MX"), {
    status: "ok",
    text: "",
    records: [{ data: "a.test", preference: 10 }, { data: "b.test", preference: 20 }],
    secure: true,
    ttl: 50,
  });
});

Deno.test("query() tells no such name from no such records", async () => {
  await using stub = await new Stub((query) => ({
    code: query.questions[0].name === "gone.test" ? 3 : 0,
    authorities: [SOA(300, 60)],
  })).listen();
  const dns = resolver([stub.name]);
  const gone = await dns.query("gone.test", "A"), none = await dns.query("here.test", "A");
  assertEquals([gone.status, gone.ttl], ["nxdomain", 60]);
  assertEquals([none.status, none.ttl], ["none", 60]);
});

Deno.test("query() follows aliases, but not for ever", async () => {
  const loop = [
    { name: "x.test", type: "CNAME", ttl: 9, data: "y.test" },
    { name: "y.test", type: "CNAME", ttl: 9, data: "x.test" },
  ];
  await using stub = await new Stub((query) => ({
    answers: query.questions[0].name === "x.test" ? loop : [
      { name: "alias.test", type: "CNAME", ttl: 7, data: "Real.test" },
      A("real.test"),
    ],
  })).listen();
  const dns = resolver([stub.name]);
  const found = await dns.query("alias.test", "A");
  assertEquals([found.records[0]!.data, found.ttl], ["192.0.2.1", 7]);
  assertEquals((await dns.query("x.test", "A")).status, "fail");
});

Deno.test("query() asks by TCP when the answer was cut short", async () => {
  const many = Array.from({ length: 300 }, (_, i) => A("big.test", `192.0.2.${i % 250}`));
  await using stub = await new Stub(
    () => ({ flags: packet.TRUNCATED_RESPONSE }),
    () => ({ answers: many }),
  ).listen();
  const found = await resolver([stub.name]).query("big.test", "A");
  assertEquals(stub.queries.map((each) => each.tcp), [false, true]);
  // At most so many are handed on.
  assertEquals([found.status, found.records.length], ["ok", 100]);
});

for (
  const [type, data] of [
    ["MX", (n: number) => ({ exchange: `h${n}.test`, preference: n })],
    ["SRV", (n: number) => ({ target: `h${n}.test`, priority: n, weight: 1, port: 25 })],
  ] as const
) {
  Deno.test(`query() keeps the best 100 of 500 ${type} records`, async () => {
    const many = Array.from({ length: 500 }, (_, n) => (
      { name: "big.test", type, ttl: 9, data: data(499 - n) }
    ));
    await using stub = await new Stub(() => ({ answers: many })).listen();
    const { records } = await resolver([stub.name], {}, false).query("big.test", type);
    assertEquals(
      records.map(({ preference }) => preference),
      Array.from({ length: 100 }, (_, n) => n),
    );
  });
}

for (
  const [why, reply] of [
    [
      "has another id",
      (query: Query) => encode({ ...query, id: query.id ^ 1 }, { answers: [A("a.test")] }),
    ],
    [
      "answers another question",
      (query: Query) => encode({ id: query.id, questions: [{ name: "b.test", type: "A" }] }, {}),
    ],
    [
      "is a format error without question and has another id",
      (query: Query) => encode({ ...query, id: query.id ^ 1 }, { code: 1, questions: [] }),
    ],
    [
      "is a format error without question where EDNS0 was not used",
      (query: Query) =>
        encode(query, query.additionals.length ? { code: 1 } : { code: 1, questions: [] }),
    ],
    [
      "is another error without question",
      (query: Query) => encode(query, { code: 2, questions: [] }),
    ],
    [
      "has records and no question",
      (query: Query) => encode(query, { answers: [A("a.test")], questions: [] }),
    ],
    ["is a question", (query: Query) => packet.encode({ ...query, type: "query" })],
    ["ends early", (query: Query) => encode(query, { answers: [A("a.test")] })!.subarray(0, 30)],
    ["is empty", () => new Uint8Array(0)],
    [
      "points at itself",
      (query: Query) => {
        const bytes = encode(query, { answers: [A("a.test")] })!.slice();
        // The name of the answer becomes a pointer to where it stands.
        const at = 12 + 8 + 4;
        bytes.set([0xc0, at], at);
        return bytes;
      },
    ],
    ["never comes", () => undefined],
  ] as [string, (query: Query) => Uint8Array | undefined][]
) {
  Deno.test(`query() does not believe an answer that ${why}`, async () => {
    await using stub = await new Stub(reply, reply).listen();
    const found = await resolver([stub.name], { dns_attempts: "1" }).query("a.test", "A");
    assertEquals([found.status, found.records], ["fail", []]);
    assertMatch(found.text, /^127\.0\.0\.1: /);
  });
}

Deno.test("query() does not believe an answer from another port", async () => {
  const forger = createSocket("udp4");
  await new Promise<void>((resolve) => forger.bind(0, "127.0.0.1", () => resolve()));
  let from = 0;
  await using stub = await new Stub((query) => {
    from = stub.queries[0]!.port;
    forger.send(encode(query, { answers: [A("a.test", "192.0.2.66")] })!, from, "127.0.0.1");
    return undefined;
  }, () => undefined).listen();
  const found = await resolver([stub.name], { dns_attempts: "1" }).query("a.test", "A");
  assertEquals(found.status, "fail");
  forger.close();
});

Deno.test("query() uses another id and another port each time", async () => {
  await using stub = await new Stub((query) => ({ answers: [A(query.questions[0].name)] }))
    .listen();
  const dns = resolver([stub.name]);
  for (let i = 0; i < 8; i++) await dns.query(`n${i}.test`, "A");
  assertEquals(new Set(stub.queries.map((each) => each.query.id)).size > 4, true);
  assertEquals(new Set(stub.queries.map((each) => each.port)).size > 4, true);
});

Deno.test("query() asks the next server when one fails or is silent", async () => {
  await using broken = await new Stub(() => ({ code: 2 })).listen();
  await using silent = await new Stub(() => undefined).listen();
  await using good = await new Stub((query) => ({ answers: [A(query.questions[0].name)] }))
    .listen();
  const dns = resolver([broken.name, silent.name, good.name]);
  assertEquals((await dns.query("a.test", "A")).status, "ok");
  // The one that answered is asked first from now on.
  await dns.query("b.test", "A");
  assertEquals([broken.queries.length, silent.queries.length], [1, 1]);
});

Deno.test("query() fails, and never says no such name, when nobody answers", async () => {
  await using broken = await new Stub(() => ({ code: 2 })).listen();
  const found = await resolver([broken.name]).query("a.test", "MX");
  assertEquals([found.status, found.text], ["fail", "127.0.0.1: server failure"]);
  assertEquals(broken.queries.length, 2);
  assertEquals((await resolver([]).query("a.test", "A")).status, "fail");
});

for (
  const [how, refusal] of [
    ["says format error", { code: 1 }],
    ["says not implemented", { code: 4 }],
    ["says format error, with no more than a header", { code: 1, questions: [] }],
  ] as const
) {
  for (const udp of [true, false]) {
    Deno.test(`query() does without EDNS0 where a server ${how} over ${udp ? "UDP" : "TCP"}`, async () => {
      await using stub = await new Stub((query) =>
        query.additionals.length ? refusal : { answers: [A("a.test")] }
      ).listen();
      assertEquals((await resolver([stub.name], {}, udp).query("a.test", "A")).status, "ok");
      assertEquals(stub.queries.map((each) => each.query.additionals.length), [1, 0]);
    });
  }
}

Deno.test("query() remembers answers for as long as they say, and failures not at all", async () => {
  let code = 0;
  await using stub = await new Stub(() =>
    code ? { code } : { answers: [A("a.test", "192.0.2.1", 50)] }
  )
    .listen();
  const dns = resolver([stub.name], { dns_attempts: "1" }, true, () => clock);
  await dns.query("a.test", "A");
  clock += 49_000;
  await dns.query("a.test", "A");
  assertEquals(stub.queries.length, 1);
  clock += 2_000;
  code = 2;
  assertEquals((await dns.query("a.test", "A")).status, "fail");
  code = 0;
  assertEquals((await dns.query("a.test", "A")).status, "ok");
  assertEquals(stub.queries.length, 3);
});

Deno.test("query() bounds what it remembers", async () => {
  await using stub = await new Stub((query) => ({
    answers: [A(query.questions[0].name, "192.0.2.1", 1_000_000)],
  })).listen();
  const dns = resolver(
    [stub.name],
    { dns_cache_size: "2", dns_cache_max_ttl: "10s" },
    true,
    () => clock,
  );
  for (const name of ["a.test", "b.test", "c.test", "c.test", "a.test"]) await dns.query(name, "A");
  assertEquals(stub.queries.length, 4);
  clock += 11_000;
  await dns.query("a.test", "A");
  assertEquals(stub.queries.length, 5);
});

Deno.test("query() asks once for all who ask the same at the same time", async () => {
  await using stub = await new Stub((query) => ({ answers: [A(query.questions[0].name)] }))
    .listen();
  const dns = resolver([stub.name], { dns_cache_size: "0" });
  const all = await Promise.all(Array.from({ length: 20 }, () => dns.query("a.test", "A")));
  assertEquals([all.length, stub.queries.length], [20, 1]);
});

Deno.test("query() answers while another zone is slow, and fails for what is too much of that one", async () => {
  let isSlow = true, held = 0;
  await using stub = await new Stub((query) => {
    const { name } = query.questions[0];
    if (!isSlow || !name.endsWith("slow.test")) return { answers: [A(name)] };
    held++;
    return undefined;
  }).listen();
  const dns = resolver([stub.name], { dns_attempts: "1", dns_timeout: "3s" });
  const slow = Array.from({ length: 1200 }, (_, i) => dns.query(`n${i}.slow.test`, "A"));
  assertEquals((await dns.query("quick.example", "A")).status, "ok");
  assertEquals(held <= 100, true);
  const { status, text, own } = await slow.at(-1)!;
  assertEquals([status, text, own], ["fail", "too many questions at once", true]);
  isSlow = false;
  // What waited has its turn when others have ended.
  const answered = (await Promise.all(slow)).filter((each) => each.status === "ok");
  assertEquals(answered.length, 1000);
});

Deno.test("query() takes a null MX, and drops names that no host can have", async () => {
  const mx = (exchange: string) => ({
    name: "a.test",
    type: "MX",
    ttl: 9,
    data: { exchange, preference: 0 },
  });
  let answers = [mx(".")];
  await using stub = await new Stub(() => ({ answers })).listen();
  assertEquals((await resolver([stub.name]).query("a.test", "MX")).records, [{
    data: "",
    preference: 0,
  }]);
  answers = [mx("bad name.test"), mx("ok.test"), mx("x\r\ny.test")];
  assertEquals((await resolver([stub.name]).query("a.test", "MX")).records, [
    { data: "ok.test", preference: 0 },
  ]);
  answers = [mx("bad name.test")];
  assertEquals((await resolver([stub.name]).query("a.test", "MX")).status, "fail");
});

Deno.test("query() makes text of TXT, SRV, TLSA and PTR", async () => {
  const data: Record<string, unknown> = {
    TXT: [Buffer.from("v=spf1 "), Buffer.from("-all\n\u202e")],
    SRV: { priority: 3, weight: 2, port: 25, target: "mx.test" },
    TLSA: { usage: 3, selector: 1, matchingType: 1, certificate: Buffer.from([1, 255]) },
    PTR: "Host.test",
  };
  await using stub = await new Stub((query) => {
    const { name, type } = query.questions[0];
    return { answers: [{ name, type, ttl: 9, data: data[type] }] };
  }).listen();
  const dns = resolver([stub.name]);
  const first = async (name: string, type: "TXT" | "SRV" | "TLSA" | "PTR") =>
    (await dns.query(name, type)).records[0];
  assertEquals(await first("a.test", "TXT"), { data: "v=spf1 -all??", preference: 0 });
  assertEquals(await first("_s._tcp.a.test", "SRV"), { data: "2 25 mx.test", preference: 3 });
  assertEquals(await first("_25._tcp.a.test", "TLSA"), { data: "3 1 1 01ff", preference: 0 });
  assertEquals(await first("192.0.2.7", "PTR"), { data: "host.test", preference: 0 });
  assertEquals(stub.queries.at(-1)!.query.questions[0].name, "7.2.0.192.in-addr.arpa");
  await first("2001:db8::1", "PTR");
  assertEquals(
    stub.queries.at(-1)!.query.questions[0].name,
    "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa",
  );
});

Deno.test("query() looks into the hosts file first", async () => {
  const dns = resolver([], {
    dns_hosts: "192.0.2.9 Mail.Test mail # ours\nnonsense x\n::1 six.test",
  });
  assertEquals((await dns.query("mail.test", "A")).records[0]!.data, "192.0.2.9");
  assertEquals((await dns.query("mail.test", "AAAA")).status, "fail");
  assertEquals((await dns.query("192.0.2.9", "PTR")).records[0]!.data, "mail.test");
  assertEquals((await dns.query("six.test", "AAAA")).records[0]!.data, "::1");
  assertEquals((await dns.query("localhost", "A")).records[0]!.data, "127.0.0.1");
  assertEquals((await dns.query("mail.test", "MX")).status, "fail");
});

for (
  const name of [
    "",
    "a..b",
    "x".repeat(64) + ".test",
    "a b.test",
    "x.".repeat(130) + "test",
    "ü.test",
  ]
) {
  Deno.test(`query() knows that ${JSON.stringify(name.slice(0, 20))} cannot exist`, async () => {
    assertEquals((await resolver([]).query(name, "A")).status, "nxdomain");
  });
}

Deno.test("parseServer() takes addresses with and without a port", () => {
  assertEquals(
    ["192.0.2.1", "192.0.2.1:5353", "::1", "[2001:DB8::1]:53", "[::1]"].map(parseServer).map((
      each,
    ) => `${each.address} ${each.port}`),
    ["192.0.2.1 53", "192.0.2.1 5353", "::1 53", "2001:db8::1 53", "::1 53"],
  );
});

Deno.test("query() logs once why every lookup fails without a name server", async () => {
  const lines: string[] = [];
  setSink((severity, text) => void lines.push(`${severity}: ${text}`));
  const dns = resolver([]);
  for (const name of ["a.test", "b.test", "c.test"]) {
    const { status, own, text } = await dns.query(name, "MX");
    assertEquals([status, own, text], ["fail", true, "no name server is configured"]);
  }
  assertEquals(lines, ["warning: lookup of MX for a.test: no name server is configured"]);
});

Deno.test("query() logs nothing of a failure that is the name server's", async () => {
  const lines: string[] = [];
  setSink((severity, text) => void lines.push(`${severity}: ${text}`));
  await using stub = await new Stub(() => ({ code: 2 })).listen();
  assertEquals((await resolver([stub.name]).query("a.test", "MX")).status, "fail");
  assertEquals(lines, []);
});
