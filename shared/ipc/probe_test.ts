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

/** Lets the first connections be reset, as by a system that ends. */
async function resetting(times: number, test: () => Promise<void>): Promise<void> {
  const connect = Deno.connect;
  let left = times;
  Deno.connect = ((options: Deno.UnixConnectOptions) => {
    if (left-- > 0) return Promise.reject(new Deno.errors.ConnectionReset("reset"));
    return connect(options);
  }) as typeof connect;
  try {
    await test();
  } finally {
    Deno.connect = connect;
  }
}

Deno.test("probe() looks again when it is reset, and not for ever", async () => {
  const directory = await Deno.makeTempDir();
  const path = `${directory}/s`;
  try {
    await resetting(3, async () => assertEquals(await probe(path), "down"));
    const listener = Deno.listen({ transport: "unix", path });
    await resetting(3, async () => assertEquals(await probe(path), "up"));
    listener.close();
    await resetting(Infinity, async () => void await assertRejects(() => probe(path), PeerError));
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
