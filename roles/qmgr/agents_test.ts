/** What a real connection says when it fails, and what is learned from it. */

import { assertEquals } from "@std/assert";
import { createServer } from "node:net";
import { client } from "../../shared/ipc/client.ts";
import { setSink } from "../../shared/log/log.ts";
import { deliveryService } from "../../shared/protocols/delivery.ts";
import { testEnvelope } from "../../tests/support/envelope.ts";
import { ActiveMessage } from "./active_message.ts";
import { Agents, type DeliveryClient } from "./agents.ts";
import { Destination, Entry } from "./scheduler/destination.ts";
import { testSettings } from "./scheduler/test_settings.ts";
import { Seals } from "./seals.ts";

const seals = new Seals(new Uint8Array(32));

function entry(): Entry<ActiveMessage> {
  const envelope = testEnvelope({
    queueId: "5BLRxP2sDnzbqJvXTK",
    sender: "",
  });
  const message = new ActiveMessage(envelope, 1, 1, 0, false, new Uint8Array(1));
  const destination = new Destination<ActiveMessage>("smtp", "x", "x", testSettings());
  const recipient = { n: 0, address: "a@x", original: "", orcpt: "", notify: [] };
  return new Entry(message, destination, [recipient]);
}

async function attempt(path: string) {
  setSink(() => {});
  const agent: DeliveryClient = client(deliveryService("smtp"), { path });
  const store = { content: () => Promise.reject(new Error("not asked")) };
  const { lesson, outcomes, lost } = await new Agents(() => agent, store, seals).deliver(
    entry(),
    false,
  );
  agent.close();
  return [lesson, outcomes[0]!.text, lost !== undefined];
}

Deno.test("deliver() finds a transport without a socket unreachable", async () => {
  assertEquals(await attempt("/nonexistent/s"), [
    "unreachable",
    "mail transport unavailable",
    false,
  ]);
});

Deno.test("deliver() finds a transport unreachable when nobody listens", async () => {
  const directory = Deno.makeTempDirSync();
  Deno.listen({ transport: "unix", path: `${directory}/s` }).close();
  assertEquals(await attempt(`${directory}/s`), [
    "unreachable",
    "mail transport unavailable",
    false,
  ]);
  Deno.removeSync(directory, { recursive: true });
});

Deno.test("deliver() says that an agent is lost that dies in mid-delivery", async () => {
  const directory = Deno.makeTempDirSync();
  const server = createServer((socket) => socket.once("data", () => socket.destroy()));
  server.listen(`${directory}/s`);
  const text = "unknown mail transport error";
  assertEquals(await attempt(`${directory}/s`), [{ site: { dsn: "4.3.0", text } }, text, true]);
  await new Promise((resolve) => server.close(resolve));
  Deno.removeSync(directory, { recursive: true });
});
