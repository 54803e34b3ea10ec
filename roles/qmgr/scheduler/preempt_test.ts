/** Small messages that overtake large mailings, within their slots. */

import { assertEquals } from "@std/assert";
import { Scene, to } from "./test_scene.ts";

Deno.test("a small message overtakes a large mailing after a few deliveries", () => {
  const scene = new Scene({ recipientLimit: 1, initialConcurrency: 1, concurrencyLimit: 1 });
  scene.add("big", [to("a", 200)]);
  scene.order(4);
  scene.add("small", [to("a")]);
  assertEquals(scene.order(3).indexOf("small"), 0);
});

Deno.test("a large mailing lets one overtake for each five of its own deliveries, and three in advance", () => {
  const scene = new Scene({ recipientLimit: 1, initialConcurrency: 1, concurrencyLimit: 1 });
  scene.add("big", [to("a", 1000)]);
  for (let i = 0; i < 300; i++) scene.add(`small${i}`, [to("a")]);
  const order = scene.order(500);
  const small = order.filter((each) => each !== "big").length;
  assertEquals(small, 86);
  // And those that overtake do so in order.
  assertEquals(order.filter((each) => each !== "big")[0], "small0");
});

Deno.test("a mailing is not overtaken where slots cost nothing or one", () => {
  for (const slotCost of [0, 1]) {
    const scene = new Scene({ slotCost, recipientLimit: 1, concurrencyLimit: 1 });
    scene.add("big", [to("a", 100)]);
    scene.add("small", [to("a")]);
    assertEquals(scene.order().indexOf("small"), 100);
  }
});

Deno.test("a message of few deliveries is not overtaken", () => {
  const scene = new Scene({ recipientLimit: 1, concurrencyLimit: 1 });
  scene.add("medium", [to("a", 14)]);
  scene.add("small", [to("a")]);
  assertEquals(scene.order().indexOf("small"), 14);
});

Deno.test("a message too large for the slots waits behind a mailing", () => {
  const scene = new Scene({ recipientLimit: 1, concurrencyLimit: 1 });
  scene.add("big", [to("a", 30)]);
  scene.add("large too", [to("a", 20)]);
  assertEquals(scene.order().indexOf("large too"), 30);
});
