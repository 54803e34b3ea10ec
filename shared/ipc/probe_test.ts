import { assertEquals, assertRejects } from "@std/assert";
import { PeerError } from "../errors.ts";
import { probe } from "./probe.ts";

Deno.test("probe() says down where nobody listens, and only there", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const path = `${directory}/s`;
    assertEquals(await probe(path), "down");
    const listener = Deno.listen({ transport: "unix", path });
    assertEquals(await probe(path), "up");
    listener.close();
    assertEquals(await probe(path), "down");
    await Deno.writeTextFile(`${directory}/file`, "");
    await assertRejects(() => probe(`${directory}/file/s`), PeerError, "connect to");
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
