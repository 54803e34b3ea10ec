import { assertEquals } from "@std/assert";
import { setSink } from "../../shared/log/log.ts";
import type { DnsAnswer, RecordType } from "../../shared/protocols/dns.ts";
import { ClientNames } from "./client_names.ts";

const log: string[] = [];
setSink((severity, text) => log.push(`${severity}: ${text}`));

function names(records: Record<string, string[]>, clock = { time: 0 }) {
  const asked: string[] = [];
  const query = (name: string, type: RecordType): Promise<DnsAnswer> => {
    asked.push(`${name} ${type}`);
    const data = records[`${name} ${type}`];
    return Promise.resolve({
      status: data ? "ok" : "nxdomain",
      text: "",
      records: (data ?? []).map((data) => ({ data, preference: 0 })),
      secure: false,
      ttl: 300,
    });
  };
  const tested = new ClientNames(query, { steady: () => clock.time });
  return { tested, asked };
}

Deno.test("lookup() believes a name that leads back to the address", async () => {
  const { tested } = names({
    "192.0.2.1 PTR": ["mail.test"],
    "mail.test A": ["192.0.2.9", "192.0.2.1"],
  });
  assertEquals(await tested.lookup("192.0.2.1"), "mail.test");
});

Deno.test("lookup() compares IPv6 addresses by value", async () => {
  const { tested } = names({
    "2001:db8::1 PTR": ["mail.test."],
    "mail.test AAAA": ["2001:0db8:0:0::1"],
  });
  assertEquals(await tested.lookup("2001:db8::1"), "mail.test");
});

Deno.test("lookup() does not believe a name that leads elsewhere, and says so", async () => {
  const { tested } = names({ "192.0.2.1 PTR": ["mail.test"], "mail.test A": ["192.0.2.2"] });
  assertEquals(await tested.lookup("192.0.2.1"), "unknown");
  assertEquals(
    log.includes("warning: hostname mail.test does not resolve to address 192.0.2.1"),
    true,
  );
});

Deno.test("lookup() does not believe a name that is none", async () => {
  const { tested, asked } = names({ "192.0.2.1 PTR": ["a b)\r\nX: y"] });
  assertEquals(await tested.lookup("192.0.2.1"), "unknown");
  assertEquals(asked, ["192.0.2.1 PTR"]);
});

Deno.test("lookup() answers without asking while a name is fresh", async () => {
  const clock = { time: 0 };
  const { tested, asked } = names(
    { "192.0.2.1 PTR": ["mail.test"], "mail.test A": ["192.0.2.1"] },
    clock,
  );
  await Promise.all([tested.lookup("192.0.2.1"), tested.lookup("192.0.2.1")]);
  assertEquals(asked.length, 2);
  clock.time = 299_000;
  assertEquals(tested.lookup("192.0.2.1"), "mail.test");
  clock.time = 301_000;
  await tested.lookup("192.0.2.1");
  assertEquals(asked.length, 4);
});

Deno.test("lookup() is unknown when the name server cannot be asked", async () => {
  const tested = new ClientNames(() => Promise.reject(new Error("gone")), { steady: () => 0 });
  assertEquals(await tested.lookup("192.0.2.1"), "unknown");
});
