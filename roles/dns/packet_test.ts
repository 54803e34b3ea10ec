import { Buffer } from "node:buffer";
import fc from "fast-check";
import { assert, assertEquals, assertThrows } from "@std/assert";
import packet from "dns-packet";
import { Check } from "typebox/schema";
import { PeerError } from "../../shared/errors.ts";
import { DnsAnswer, type RecordType } from "../../shared/protocols/dns.ts";
import { firstStep, interpret } from "./interpret.ts";
import { decodeMessage, encodeQuestion, isName, reverseName, zoneOf } from "./packet.ts";

Deno.test("decodeMessage() survives any bytes", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => {
      try {
        decodeMessage(bytes);
      } catch (error) {
        if (!(error instanceof PeerError)) throw error;
      }
    }),
    { numRuns: 500 },
  );
});

Deno.test("interpret() makes clean answers of damaged messages", () => {
  const good: Uint8Array = packet.encode({
    type: "response",
    id: 1,
    questions: [{ name: "a.test", type: "MX" }],
    answers: [
      { name: "a.test", type: "CNAME", ttl: 1, data: "b.test" },
      { name: "b.test", type: "MX", ttl: 1, data: { exchange: "mx.test", preference: 1 } },
      { name: "b.test", type: "TXT", ttl: 1, data: ["x", "y"] },
    ],
  });
  const damage = fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { maxLength: 8 });
  fc.assert(
    fc.property(damage, (changes) => {
      const bytes = new Uint8Array(good);
      for (const [at, value] of changes) bytes[at] = value;
      try {
        const message = decodeMessage(bytes);
        for (const type of ["MX", "TXT", "A"] as const) {
          const said = interpret(message, firstStep("a.test"), type);
          for (const { data } of said && "status" in said ? said.records : []) {
            // deno-lint-ignore no-control-regex
            assertEquals(/[\u0000-\u001f\u007f]/.test(data), false);
          }
        }
      } catch (error) {
        if (!(error instanceof PeerError)) throw error;
      }
    }),
    { numRuns: 500 },
  );
});

for (
  const [name, zone] of [
    ["mx.a.example.com", "example.com"],
    ["com", "com"],
    ["4.3.2.1.in-addr.arpa", "2.1.in-addr.arpa"],
    [reverseName("2001:db8::1")!, "8.b.d.0.1.0.0.2.ip6.arpa"],
  ] as const
) {
  Deno.test(`zoneOf() takes ${name} for one of ${zone}`, () => assertEquals(zoneOf(name), zone));
}

Deno.test("encodeQuestion() asks for recursion and the AD bit", () => {
  const made = packet.decode(encodeQuestion(7, "a.test", "TLSA", true));
  assertEquals([made.id, made.flag_rd, made.flag_ad, made.questions[0].type], [
    7,
    true,
    true,
    "TLSA",
  ]);
});

const TYPES: RecordType[] = ["A", "AAAA", "MX", "PTR", "TXT", "SRV", "TLSA"];
const label = fc.constantFrom(
  "a",
  "b",
  "test",
  "__proto__",
  "x".repeat(63),
  "\x1b[2J",
  "ü",
  "-",
  "*",
);
const domain = fc.array(label, { maxLength: 3 }).map((labels) => labels.join("."));
const ttl = fc.integer({ min: 0, max: 0x7fffffff });
const data = fc.uint8Array({ maxLength: 255 });
const u16 = fc.integer({ min: 0, max: 65535 }), u8 = fc.integer({ min: 0, max: 255 });
const record = fc.oneof(
  fc.record({ type: fc.constant("CNAME"), name: domain, ttl, data: domain }),
  fc.record({ type: fc.constant("PTR"), name: domain, ttl, data: domain }),
  fc.record({
    type: fc.constant("MX"),
    name: domain,
    ttl,
    data: fc.record({ exchange: domain, preference: u16 }),
  }),
  fc.record({
    type: fc.constant("TXT"),
    name: domain,
    ttl,
    data: fc.array(data, { minLength: 1, maxLength: 20 }),
  }),
  fc.record({
    type: fc.constant("SRV"),
    name: domain,
    ttl,
    data: fc.record({ priority: u16, weight: u16, port: u16, target: domain }),
  }),
  fc.record({
    type: fc.constant("TLSA"),
    name: domain,
    ttl,
    data: fc.record({ usage: u8, selector: u8, matchingType: u8, certificate: data }),
  }),
);

Deno.test("interpret() makes an answer that its declaration allows of any well-formed message", () =>
  fc.assert(
    fc.property(domain, fc.array(record, { maxLength: 20 }), fc.boolean(), (name, answers, aa) => {
      const bytes = packet.encode({
        type: "response",
        id: 1,
        flags: aa ? packet.AUTHORITATIVE_ANSWER : 0,
        questions: [{ name, type: "MX" }],
        // deno-lint-ignore no-explicit-any
        answers: answers.map((each) => ({ ...each, data: buffered(each.data) })) as any,
      });
      const message = decodeMessage(bytes);
      for (const type of TYPES) {
        const said = interpret(message, firstStep(name), type);
        // Nothing is said, or there is an alias to follow.
        if (!said || !("status" in said)) assert(!said || isName(said.name));
        else assert(Check(DnsAnswer, said), JSON.stringify(said));
      }
    }),
    { numRuns: 300 },
  ));

/** dns-packet wants Buffers. */
// deno-lint-ignore no-explicit-any
function buffered(data: any): any {
  if (data instanceof Uint8Array) return Buffer.from(data);
  if (Array.isArray(data)) return data.map(buffered);
  return data?.certificate ? { ...data, certificate: Buffer.from(data.certificate) } : data;
}

Deno.test("decodeMessage() refuses names that point at themselves or forward, at once", () => {
  const header = [0, 1, 0x80, 0, 0, 1, 0, 0, 0, 0, 0, 0];
  for (
    const name of [
      [0xc0, 12],
      [0xc0, 14, 0xc0, 12],
      [1, 97, 0xc0, 12],
      [0xff, 0xff],
      [63, 97],
      [0x80, 1],
      [1, 97, 1, 97],
    ]
  ) {
    assertThrows(() => decodeMessage(Uint8Array.from([...header, ...name, 0, 1, 0, 1])), PeerError);
  }
});

Deno.test("decodeMessage() of thousands of records whose names are all pointers ends in time", () => {
  const long = [...Array.from({ length: 120 }, () => [1, 97]).flat(), 0];
  const head = [0, 1, 0x80, 0, 0, 1, 0x0f, 0xff, 0, 0, 0, 0, ...long, 0, 15, 0, 1];
  const mx = [0xc0, 12, 0, 15, 0, 1, 0, 0, 0, 9, 0, 4, 0, 1, 0xc0, 12];
  const bytes = Uint8Array.from([...head, ...Array.from({ length: 0x0fff }, () => mx).flat()]);
  assert(bytes.length < 66_000);
  const name = "a.".repeat(120).slice(0, -1), message = decodeMessage(bytes);
  const said = interpret(message, firstStep(name), "MX");
  assertEquals(said && "status" in said && said.records.length, 100);
});
