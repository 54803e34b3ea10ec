import { assertEquals } from "@std/assert";
import { setSink } from "../../shared/log/log.ts";
import { CallError } from "../../shared/ipc/failure.ts";
import type { Resolved } from "../../shared/protocols/rewrite.ts";
import { Router } from "./router.ts";
import { resolvedTo } from "./test_world.ts";

function router(resolve: (address: string) => Resolved | Promise<Resolved>, perRecipient = false) {
  setSink(() => {});
  return new Router({ resolve: (_sender, address) => resolve(address) }, {
    deferTransports: new Set(),
    doubleBounceSender: "double-bounce",
    recipientDelimiter: "+",
    isPerRecipient: () => perRecipient,
  });
}

Deno.test("route() answers without a promise where rewrite's answer is at hand", () => {
  const route = router((address) => resolvedTo("smtp", "Mx.Example", address))
    .route("", "a@Example");
  assertEquals(route, {
    transport: "smtp",
    nexthop: "Mx.Example",
    key: "mx.example",
    recipient: "a@Example",
  });
});

Deno.test("route() makes each user a destination where a delivery has one recipient", async () => {
  const each = router((address) => resolvedTo("local", "here", address), true);
  const keys = ["Joe+News@here", "joe@here", "ann@here", "postmaster@here"].map((address) =>
    each.route("", address)
  );
  assertEquals(
    (await Promise.all(keys)).map((route) => "key" in route && route.key),
    ["joe@here", "joe@here", "ann@here", "postmaster@here"],
  );
});

Deno.test("route() asks again when rewrite is just being started again", async () => {
  let asked = 0;
  const route = await router((address) =>
    ++asked < 3
      ? Promise.reject(new CallError("unavailable", "rewrite: gone"))
      : Promise.resolve(resolvedTo("smtp", "x", address))
  ).route("", "a@x");
  assertEquals(["transport" in route, asked], [true, 3]);
});

Deno.test("route() bounces a null recipient without asking", () => {
  const route = router(() => {
    throw new Error("asked");
  }).route("s@x", "");
  assertEquals(route, {
    status: "bounced",
    dsn: "5.1.3",
    text: "null recipient address",
    recipient: "",
    agent: "error",
  });
});
