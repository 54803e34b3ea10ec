/** Mail whose recipients are only verified (sendmail -bv), or whose first attempt is to be reported (-v). */

import { assertEquals, assertMatch } from "@std/assert";
import { Scene } from "./test_scene.ts";

Deno.test("deliver() looks for the mailboxes of mail to verify, and touches none", async () => {
  using scene = new Scene({ "a@x": "a/", "up@x": "../b/" });
  assertEquals(await scene.deliver(["a@x", "nobody@x", "up@x"], "", "verify"), [
    ["deliverable", "2.0.0", "delivers to maildir"],
    ["undeliverable", "5.1.1", 'unknown user: "nobody@x"'],
    ["undeliverable", "4.3.5", "mail system configuration error"],
  ]);
  assertEquals([...Deno.readDirSync(scene.base)], []);
  assertMatch(
    scene.log.find((line) => line.includes("to=<a@x>"))!,
    /relay=virtual, .*, status=deliverable \(delivers to maildir\)$/,
  );
});

Deno.test("deliver() writes mail whose first attempt is to be reported like any other", async () => {
  using scene = new Scene({ "a@x": "a/" });
  assertEquals(await scene.deliver(["a@x"], "x\r\n", "deliver"), [[
    "sent",
    "2.0.0",
    "delivered to maildir",
  ]]);
  assertEquals(scene.read("a").length, 1);
});
