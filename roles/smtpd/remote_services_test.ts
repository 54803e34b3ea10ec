import { assertEquals } from "@std/assert";
import { type Clients, services } from "./remote_services.ts";
import { client, house } from "./test_house.ts";

Deno.test("a session that anvil could not count leaves the count of another as it is", async () => {
  let counted = 0;
  const anvil = {
    call: () => {
      if (counted) return Promise.reject(new Error("away"));
      counted++;
      return Promise.resolve({ reply: { connections: 1, rate: 1 }, settle: () => counted-- });
    },
  };
  const remote = services({ anvil } as unknown as Clients, "smtp", false);
  const { port, close } = await house(
    { smtpd_client_event_limit_exceptions: "" },
    (stub) => ({ ...stub, anvil: remote.anvil }),
  );
  const first = await client(port), second = await client(port);
  const seen = [];
  for (const peer of [second, first]) {
    await peer.say("QUIT\r\n");
    await peer.say("");
    seen.push(counted);
  }
  assertEquals(seen, [1, 0]);
  await close();
});
