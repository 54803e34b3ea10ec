import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { Check } from "typebox/schema";
import { DnsAnswer } from "../../shared/protocols/dns.ts";
import { assertQuick, disguised, near, PROTOTYPE_NAMES } from "../../tests/support/hostile.ts";
import { Hosts } from "./hosts.ts";
import { isTarget } from "./packet.ts";

const addresses = (hosts: Hosts, name: string) =>
  hosts.answer(name, "A")?.records.map((r) => r.data);

Deno.test("Hosts takes any text for a hosts file, and answers as its protocol declares", () => {
  const text = near(
    "127.0.0.1",
    "::1",
    " ",
    "\t",
    "\n",
    "#",
    "a.test",
    "b",
    "10.0.0.1",
    "fe80::1%eth0",
  );
  const name = fc.constantFrom("a.test", "b", "localhost", "127.0.0.1", "::1", ...PROTOTYPE_NAMES);
  fc.assert(fc.property(text, name, (text, name) => {
    const hosts = new Hosts(text);
    for (const type of ["A", "AAAA", "PTR", "MX"] as const) {
      const answer = hosts.answer(name, type);
      if (!answer) continue;
      assert(Check(DnsAnswer, answer), JSON.stringify(answer));
      if (type === "PTR") assert(answer.records.every(({ data }) => isTarget(data)));
    }
  }));
});

Deno.test("Hosts gives back what is written, whatever the names", () => {
  const name = fc.oneof(
    fc.stringMatching(/^[a-z0-9_]([a-z0-9_-]{0,20}[a-z0-9_])?$/),
    fc.constantFrom(...PROTOTYPE_NAMES.map((each) => each.toLowerCase())),
  );
  const entries = fc.uniqueArray(name, { minLength: 1, maxLength: 10 });
  fc.assert(fc.property(entries, (names) => {
    const lines = names.map((name, n) => `10.0.0.${n}\t${name} # never.${name}`);
    const hosts = new Hosts(lines.join("\n"));
    for (const [n, name] of names.entries()) {
      assertEquals(addresses(hosts, name), [`10.0.0.${n}`]);
      assertEquals(hosts.answer(`10.0.0.${n}`, "PTR")?.records[0]?.data, name);
      assertEquals(hosts.answer(`never.${name}`, "A"), undefined);
    }
  }));
});

Deno.test("Hosts does not answer for the family that the file does not have, but for localhost", () => {
  const hosts = new Hosts("2001:db8::9 six.test\n192.0.2.9 four.test\n127.0.0.1 localhost\n");
  const statuses = ["six.test", "four.test", "localhost"].map((name) => [
    hosts.answer(name, "A")?.status,
    hosts.answer(name, "AAAA")?.status,
  ]);
  assertEquals(statuses, [[undefined, "ok"], ["ok", undefined], ["ok", "none"]]);
});

Deno.test("Hosts takes no name that only looks like one", () => {
  for (const name of disguised("kiosk.test")) {
    const hosts = new Hosts(`10.0.0.1 ${name}`);
    assertEquals(hosts.answer("kiosk.test", "A"), undefined, name);
    assertEquals(hosts.answer(name, "A"), undefined, name);
  }
});

Deno.test("Hosts keeps a hundred addresses of a name, and takes time in proportion to the file", () => {
  const lines = Array.from({ length: 10_000 }, (_, n) => `10.0.${n >> 8}.${n & 255} a.test`);
  assertEquals(addresses(new Hosts(lines.join("\n")), "a.test")?.length, 100);
  const parts = ["a ", "#", " ", "\t\r", "10.0.0.1 ", "10.0.0.1 a\n", "\n", ":", "a.", "\u2028#"];
  assertQuick((text) => new Hosts(text), parts, { around: ["", "10.0.0.1 ", "#"] });
});
