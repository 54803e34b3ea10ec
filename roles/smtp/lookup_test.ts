import { assertEquals } from "@std/assert";
import type { DnsAnswer } from "../../shared/protocols/dns.ts";
import { parseNexthop } from "../../shared/net/nexthop.ts";
import { Lookup } from "./lookup.ts";
import { settings, zone } from "./stub_test_server.ts";

type Zone = Record<string, string[] | DnsAnswer["status"]>;

/** `name address` of each server in order, or `dsn text` of why there is none. */
async function servers(
  nexthop: string,
  records: Zone,
  changed: Record<string, string> = {},
  random = () => 0.999,
) {
  const made = settings(changed);
  const [destination] = parseNexthop(nexthop, false, "25");
  const found = await new Lookup(made, zone(records), random).servers(destination!);
  return Array.isArray(found)
    ? found.map(({ name, address }) => `${name} ${address}`)
    : `${found.dsn} ${found.text}`;
}

const THREE: Zone = {
  "MX example.com": ["20 b.test", "10 a.test", "30 c.test"],
  "A a.test": ["192.0.2.1"],
  "A b.test": ["192.0.2.2", "192.0.2.3"],
  "A c.test": ["192.0.2.4"],
};

Deno.test("servers() sorts mail exchangers by preference", async () => {
  assertEquals(await servers("example.com", THREE), [
    "a.test 192.0.2.1",
    "b.test 192.0.2.2",
    "b.test 192.0.2.3",
    "c.test 192.0.2.4",
  ]);
});

Deno.test("servers() shuffles those of equal preference, unless told not to", async () => {
  const two: Zone = { ...THREE, "MX example.com": ["10 a.test", "10 c.test"] };
  assertEquals((await servers("example.com", two, {}, () => 0))[0], "c.test 192.0.2.4");
  const off = { smtp_randomize_addresses: "no" };
  assertEquals((await servers("example.com", two, off, () => 0))[0], "a.test 192.0.2.1");
});

Deno.test("servers() takes the domain itself when it has no MX records", async () => {
  const records: Zone = { "MX host.test": "none", "A host.test": ["192.0.2.9"] };
  assertEquals(await servers("host.test", records), ["host.test 192.0.2.9"]);
});

Deno.test("servers() asks for no MX records where it must not", async () => {
  const records: Zone = { "MX host.test": "fail", "A host.test": ["192.0.2.9"] };
  assertEquals(await servers("[host.test]", records), ["host.test 192.0.2.9"]);
  assertEquals(await servers("host.test", records, { disable_dns_lookups: "yes" }), [
    "host.test 192.0.2.9",
  ]);
  assertEquals(await servers("host.test", records, { ignore_mx_lookup_error: "yes" }), [
    "host.test 192.0.2.9",
  ]);
});

const NOT_FOUND = "Host or domain name not found. Name service error for name=";

for (
  const [why, records, expected] of [
    ["does not exist", {}, `5.4.4 ${NOT_FOUND}x.test type=MX: Host not found`],
    [
      "cannot be looked up now",
      { "MX x.test": "fail" },
      `4.4.3 ${NOT_FOUND}x.test type=MX: Host not found, try again`,
    ],
    [
      "says that it takes no mail",
      { "MX x.test": ["0 "] },
      "5.1.0 Domain x.test does not accept mail (nullMX)",
    ],
    [
      "has an exchanger without address",
      { "MX x.test": ["10 y.test"], "A y.test": "none" },
      `5.4.4 ${NOT_FOUND}y.test type=A: Host found but no data record of requested type`,
    ],
    [
      "has one exchanger that is missing and one that cannot be looked up now",
      { "MX x.test": ["10 y.test", "20 z.test"], "A z.test": "fail" },
      `4.4.3 ${NOT_FOUND}z.test type=A: Host not found, try again`,
    ],
    [
      "has this host as its best exchanger",
      {
        "MX x.test": ["10 me.test", "20 y.test"],
        "A me.test": ["192.0.2.1"],
        "A y.test": ["192.0.2.2"],
      },
      "5.4.6 mail for x.test loops back to myself",
    ],
    [
      "leads to the loopback address",
      { "MX x.test": ["10 y.test"], "A y.test": ["127.0.0.1"] },
      "5.4.6 mail for x.test loops back to myself",
    ],
  ] as [string, Zone, string][]
) {
  Deno.test(`servers() says why when the domain ${why}`, async () => {
    assertEquals(await servers("x.test", records), expected);
  });
}

Deno.test("servers() keeps only exchangers that are better than this host", async () => {
  const ours = { proxy_interfaces: "192.0.2.2" };
  assertEquals(await servers("example.com", THREE, ours), ["a.test 192.0.2.1"]);
});

for (
  const [why, records, expected] of [
    ["cannot be looked up now", { "A me.test": ["192.0.2.77"], "A a.test": "fail" }, "4.4.4"],
    ["has no address", { "A me.test": ["192.0.2.77"], "A a.test": "none" }, "4.4.4"],
    ["has none, and our own name is known by its text only", { "A a.test": "none" }, "4.4.4"],
    [
      "is there, and our own name cannot be looked up now",
      { "A a.test": ["192.0.2.1"], "A me.test": "fail" },
      ["a.test 192.0.2.1"],
    ],
  ] as [string, Zone, string | string[]][]
) {
  Deno.test(`servers() of a second exchanger neither bounces nor sends on when the first ${why}`, async () => {
    const zone = {
      "MX x.test": ["10 a.test", "20 Me.test", "30 c.test"],
      "A c.test": ["192.0.2.3"],
    };
    const found = await servers("x.test", { ...zone, ...records }, {
      proxy_interfaces: "192.0.2.77",
    });
    const text = "unable to find primary relay for x.test";
    assertEquals(found, typeof expected === "string" ? `${expected} ${text}` : expected);
  });
}

for (
  const [what, changed] of [
    ["proxy_interfaces", { proxy_interfaces: "Front.test" }],
    ["inet_interfaces", { inet_interfaces: "[192.0.2.8]" }],
  ] as [string, Record<string, string>][]
) {
  Deno.test(`servers() knows this host by what ${what} declares`, async () => {
    const records: Zone = {
      "MX x.test": ["10 front.test", "20 b.test"],
      "A front.test": ["192.0.2.8"],
      "A b.test": ["192.0.2.2"],
    };
    assertEquals(
      await servers("x.test", records, changed),
      "5.4.6 mail for x.test loops back to myself",
    );
  });
}

for (
  const [interfaces, address, loops] of [
    ["all", "192.0.2.5", true],
    ["all", "127.0.0.1", true],
    ["loopback-only", "127.0.0.1", true],
    ["loopback-only", "127.0.0.2", false],
    ["loopback-only", "192.0.2.5", false],
    ["192.0.2.9", "192.0.2.9", true],
    ["192.0.2.9", "192.0.2.5", false],
    ["192.0.2.9", "127.0.0.1", false],
  ] as const
) {
  Deno.test(`servers() ${loops ? "does not send" : "sends"} to ${address} where inet_interfaces is ${interfaces}`, async () => {
    const records: Zone = { "MX x.test": ["10 y.test"], "A y.test": [address] };
    const found = await servers("x.test", records, {
      inet_interfaces: interfaces,
      host_addresses: "127.0.0.1 192.0.2.5 192.0.2.9",
    });
    const expected = loops ? "5.4.6 mail for x.test loops back to myself" : [`y.test ${address}`];
    assertEquals(found, expected);
  });
}

Deno.test("servers() knows this host however its address is written", async () => {
  for (const address of ["2001:DB8:0::1", "2001:db8:0:0:0:0:0:1", "::ffff:192.0.2.9"]) {
    const records: Zone = { "MX x.test": ["10 y.test"], "AAAA y.test": [address] };
    const changed = { inet_interfaces: "192.0.2.9 2001:db8::1", inet_protocols: "all" };
    const found = await servers("x.test", records, changed);
    assertEquals(found, "5.4.6 mail for x.test loops back to myself");
  }
});

Deno.test("servers() looks for loops on port 25 only", async () => {
  const records: Zone = { "MX x.test": ["10 y.test"], "A y.test": ["127.0.0.1"] };
  assertEquals(await servers("x.test:2525", records), ["y.test 127.0.0.1"]);
  assertEquals(await servers("[127.0.0.1]", {}), "5.4.6 mail for 127.0.0.1 loops back to myself");
});

Deno.test("servers() defers a domain without addresses where smtp_defer_if_no_mx_address_found is on", async () => {
  const text = await servers("x.test", { "MX x.test": ["10 y.test"] }, {
    smtp_defer_if_no_mx_address_found: "yes",
  });
  assertEquals(String(text).slice(0, 5), "4.4.4");
});

Deno.test("servers() prefers the IP version that smtp_address_preference names", async () => {
  const records: Zone = { "A h.test": ["192.0.2.1"], "AAAA h.test": ["2001:db8::1"] };
  const both = { inet_protocols: "all" };
  const six = { ...both, smtp_address_preference: "ipv6" };
  assertEquals((await servers("[h.test]", records, six))[0], "h.test 2001:db8::1");
  assertEquals((await servers("[h.test]", records, both)).length, 2);
});

for (
  const [how, changed, expected] of [
    ["keeps an address of either IP version", {}, "A6 A6 A6 A6 A4"],
    ["keeps those that come first", { smtp_balance_inet_protocols: "no" }, "A6 A6 A6 A6 A6"],
    ["leaves a single place to the first", { smtp_mx_address_limit: "1" }, "A6"],
    [
      "leaves a list within the limit alone",
      { smtp_mx_address_limit: "9" },
      "A6 A6 A6 A6 A6 A6 A4 A4",
    ],
  ] as [string, Record<string, string>, string][]
) {
  Deno.test(`servers() ${how} when there are more of one version`, async () => {
    const records: Zone = {
      "A h.test": ["192.0.2.1", "192.0.2.2"],
      "AAAA h.test": Array.from({ length: 6 }, (_, i) => `2001:db8::${i + 1}`),
    };
    const found = await servers("[h.test]", records, {
      inet_protocols: "all",
      smtp_address_preference: "ipv6",
      ...changed,
    });
    const families = [...found].map((each) => each.includes(":") ? "A6" : "A4");
    assertEquals(families.join(" "), expected);
  });
}

for (
  const [how, exists, expected] of [
    ["enough of them have addresses", (n: number) => n >= 0, 6],
    ["only the last has an address", (n: number) => n === 49, 51],
  ] as const
) {
  Deno.test(`servers() looks up exchangers of one preference a few at a time: ${how}`, async () => {
    const records: Zone = { "MX x.test": Array.from({ length: 50 }, (_, i) => `10 h${i}.test`) };
    for (let i = 0; i < 50; i++) records[`A h${i}.test`] = exists(i) ? [`192.0.2.${i}`] : "none";
    let asked = 0, open = 0, most = 0;
    const ask = zone(records);
    const lookup = new Lookup(settings(), async (name, type) => {
      asked++;
      most = Math.max(most, ++open);
      const answer = await ask(name, type);
      open--;
      return answer;
    });
    const found = await lookup.servers(parseNexthop("x.test", false, "25")[0]!);
    assertEquals(Array.isArray(found) && found.length > 0, true);
    assertEquals([most, asked], [5, expected]);
  });
}

for (
  const [whose, own, site] of [["its own", undefined, true], ["our own", true, false]] as const
) {
  Deno.test(`servers() says that a failed lookup is ${site ? "" : "no "}problem of the site where the fault is ${whose}`, async () => {
    const failed = { status: "fail", text: "", records: [], secure: false, ttl: 0 } as const;
    const lookup = new Lookup(
      settings(),
      () => Promise.resolve({ ...failed, records: [], ...(own ? { own } : {}) }),
    );
    const found = await lookup.servers(parseNexthop("x.test", false, "25")[0]!);
    assertEquals(Array.isArray(found) || [found.dsn, found.site], ["4.4.3", site]);
  });
}

Deno.test("servers() bounds how many exchangers it looks at", async () => {
  const records: Zone = { "MX x.test": Array.from({ length: 100 }, (_, i) => `${i} h${i}.test`) };
  let asked = 0;
  for (let i = 0; i < 100; i++) records[`A h${i}.test`] = [`192.0.2.${i}`];
  const made = settings();
  const ask = zone(records);
  const lookup = new Lookup(made, (name, type) => (asked++, ask(name, type)));
  const found = await lookup.servers(parseNexthop("x.test", false, "25")[0]!);
  // The MX records, and one host after the other until there are addresses enough.
  assertEquals([Array.isArray(found) && found.length, asked], [5, 6]);
});
