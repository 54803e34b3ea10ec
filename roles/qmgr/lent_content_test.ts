import { assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import { PeerError } from "../../shared/errors.ts";
import { LentContent } from "./lent_content.ts";

const store = { content: (id: string) => Promise.resolve(new TextEncoder().encode(id)) };

Deno.test("read() gives content for a key as long as its delivery lasts", async () => {
  const lent = new LentContent(store);
  const key = lent.lend("4dXyZ12345z1");
  assertEquals(await lent.read(key), new TextEncoder().encode("4dXyZ12345z1"));
  lent.end(key);
  await assertRejects(() => lent.read(key), PeerError);
});

Deno.test("read() gives nothing for a queue id or a key of another time", async () => {
  const lent = new LentContent(store), key = lent.lend("4dXyZ12345z1");
  assertNotEquals(lent.lend("4dXyZ12345z1"), key);
  for (const guess of ["4dXyZ12345z1", "", "__proto__", crypto.randomUUID()]) {
    await assertRejects(() => lent.read(guess), PeerError);
  }
});
