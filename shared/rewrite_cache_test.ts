import { assert, assertEquals, assertRejects } from "@std/assert";
import type { Client } from "./ipc/client.ts";
import type { Resolved, rewriteService } from "./protocols/rewrite.ts";
import { FRESH_MS, type Options, RewriteCache } from "./rewrite_cache.ts";

const there: Resolved = {
  transport: "smtp",
  nexthop: "example.com",
  recipient: "user@example.com",
  class: "default",
  routed: false,
  error: false,
  fail: false,
};

/** A client whose answers a test decides, and a clock it turns. */
function setUp(answer: (name: string, request: unknown) => unknown, limits: Options = {}) {
  const calls: string[] = [];
  const clock = { now: 0 };
  // deno-lint-ignore require-await
  const call = async (name: string, request: unknown) => {
    calls.push(`${name} ${JSON.stringify(request)}`);
    return { reply: answer(name, request) };
  };
  const client = { call, close() {} } as unknown as Client<typeof rewriteService.calls>;
  return { cache: new RewriteCache(client, { clock: () => clock.now, ...limits }), calls, clock };
}

Deno.test("resolve() answers without a promise while the answer is fresh, then asks again", async () => {
  const { cache, calls, clock } = setUp(() => there);
  assertEquals(await cache.resolve("", "user@example.com"), there);
  clock.now = FRESH_MS - 1;
  assertEquals(cache.resolve("", "user@example.com"), there);
  clock.now = FRESH_MS;
  const again = cache.resolve("", "user@example.com");
  assert(again instanceof Promise);
  await again;
  assertEquals(calls.length, 2);
});

Deno.test("resolve() keeps senders apart", async () => {
  const { cache, calls } = setUp(() => there);
  await cache.resolve("a@example.com", "user@example.com");
  await cache.resolve("b@example.com", "user@example.com");
  assertEquals(calls.length, 2);
});

Deno.test("the same question asked twice at once is one call", async () => {
  const { cache, calls } = setUp(() => ({ address: "user@example.com" }));
  const both = await Promise.all([cache.rewrite("local", "user"), cache.rewrite("local", "user")]);
  assertEquals(both, ["user@example.com", "user@example.com"]);
  assertEquals(calls, ['rewrite {"context":"local","address":"user"}']);
});

Deno.test("answers that say fail are not kept", async () => {
  const { cache, calls } = setUp((name) => {
    if (name === "lookup") return { value: null, fail: true };
    if (name === "recipient") return { resolved: there, listed: "fail" };
    return { ...there, fail: true };
  });
  for (let i = 0; i < 2; i++) {
    await cache.lookup("virtual_alias_maps", "user@example.com");
    await cache.recipient("", "user@example.com");
    await cache.resolve("", "user@example.com");
  }
  assertEquals(calls.length, 6);
});

Deno.test("a failed call throws, and the next one asks again", async () => {
  let broken = true;
  const { cache } = setUp(() => {
    if (broken) throw new Error("rewrite is away");
    return there;
  });
  await assertRejects(async () => await cache.resolve("", "x@y"), Error, "rewrite is away");
  broken = false;
  assertEquals(await cache.resolve("", "x@y"), there);
});

Deno.test("not found is an answer and is kept", async () => {
  const { cache, calls } = setUp(() => ({ value: null, fail: false }));
  await cache.lookup("virtual_alias_maps", "user@example.com");
  assertEquals(cache.lookup("virtual_alias_maps", "user@example.com"), {
    value: null,
    fail: false,
  });
  assertEquals(calls.length, 1);
});

Deno.test("the oldest answers make room, the newest stay", async () => {
  const { cache, calls } = setUp(() => there, { maxEntries: 4 });
  for (const user of ["a", "b", "c", "d", "e"]) await cache.resolve("", user);
  assert(!(cache.resolve("", "e") instanceof Promise));
  assert(!(cache.resolve("", "d") instanceof Promise));
  const first = cache.resolve("", "a");
  assert(first instanceof Promise);
  await first;
  assertEquals(calls.length, 6);
});

Deno.test("long values make room as many short ones do", async () => {
  const long = { value: "x".repeat(100), fail: false };
  const { cache, calls } = setUp(() => long, { maxValueLength: 400 });
  for (const user of ["a", "b", "c", "d", "e"]) await cache.lookup("virtual_alias_maps", user);
  assertEquals(cache.lookup("virtual_alias_maps", "e"), long);
  assertEquals(cache.lookup("virtual_alias_maps", "d"), long);
  const first = cache.lookup("virtual_alias_maps", "a");
  assert(first instanceof Promise);
  await first;
  assertEquals(calls.length, 6);
});
