import { assertEquals } from "@std/assert";
import type { DnsAnswer } from "../../shared/protocols/dns.ts";
import { AnswerCache } from "./answer_cache.ts";
import { resolver, Stub } from "./test_name_server.ts";

/** An answer of so many characters. */
function answer(length: number): DnsAnswer {
  const records = [{ data: "x".repeat(length), preference: 0 }];
  return { status: "ok", text: "", records, secure: false, ttl: 60 };
}

/** Which of these keys are remembered; asking makes them used last, in this order. */
function remembered(cache: AnswerCache, keys: string): string {
  return [...keys].filter((key) => cache.get(key, 0)).join("");
}

Deno.test("answers are forgotten in the order in which they were used", () => {
  const cache = new AnswerCache(3);
  for (const key of "abc") cache.put(key, answer(1), 1);
  assertEquals(remembered(cache, "ca"), "ca");
  cache.put("d", answer(1), 1);
  assertEquals(remembered(cache, "abcd"), "acd");
});

Deno.test("answers that do not hold any more are forgotten", () => {
  const cache = new AnswerCache(3);
  cache.put("a", answer(1), 10);
  assertEquals(cache.get("a", 9), answer(1));
  assertEquals(cache.get("a", 10), undefined);
  assertEquals(cache.get("a", 9), undefined);
});

Deno.test("as many answers are kept as their size allows", () => {
  const cache = new AnswerCache(100, 10_000);
  for (const key of "abc") cache.put(key, answer(2500), 1);
  assertEquals(remembered(cache, "abc"), "abc");
  // The same once more takes no more room.
  for (const key of "cba") cache.put(key, answer(2500), 1);
  assertEquals(remembered(cache, "abc"), "abc");
  cache.put("d", answer(5000), 1);
  assertEquals(remembered(cache, "abcd"), "cd");
  cache.put("e", answer(10_000), 1);
  assertEquals(remembered(cache, "abcde"), "");
});

Deno.test("a resolver keeps what is small, and of large answers what has room", async () => {
  // 60 KB in each answer: by TCP.
  const records = (name: string) =>
    Array.from({ length: 100 }, (_, n) => ({
      ...{ name, type: "TXT", ttl: 3600 },
      data: [String(n).padEnd(200, "x"), "y".repeat(200), "z".repeat(200)],
    }));
  await using stub = await new Stub(
    () => ({ flags: 0x0200 }),
    ({ questions: [{ name }] }) => ({ answers: records(name) }),
  ).listen();
  const ours = resolver([stub.name], { dns_timeout: "30s" }, false);
  const ask = (name: string) => ours.query(name, "TXT");
  const asked = () => stub.queries.filter(({ tcp }) => tcp).length;
  for (let n = 0; n < 600; n += 50) {
    const names = Array.from({ length: 50 }, (_, each) => `n${n + each}.test`);
    for (const { status } of await Promise.all(names.map(ask))) assertEquals(status, "ok");
  }
  assertEquals(asked(), 600);
  await ask("n599.test");
  assertEquals(asked(), 600);
  await ask("n0.test");
  assertEquals(asked(), 601);
});
