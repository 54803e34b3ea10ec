import { assertEquals, assertRejects } from "@std/assert";
import { createServer, type Server, type Socket } from "node:net";
import { PeerError } from "../errors.ts";
import { client } from "../ipc/client.ts";
import { answer, type Answerer } from "../ipc/server.ts";
import { MAX_REASON, type Outcome } from "../mail/envelope.ts";
import {
  type DeliveryReply,
  type DeliveryRequest,
  deliveryService,
  type Handed,
} from "../protocols/delivery.ts";
import { outcomesService } from "../protocols/queue.ts";
import { setSink } from "../log/log.ts";
import { testEnvelope } from "../../tests/support/envelope.ts";
import { until } from "../../tests/support/waiting.ts";
import { type Deliver, deliveryAnswerer } from "./agent.ts";

const QUEUE_ID = "4dXyZ12345z1";
const SEAL = "0123456789abcdef";

function request(recipients: number[]): DeliveryRequest {
  return {
    envelope: testEnvelope({
      queueId: QUEUE_ID,
      sender: "a@example.com",
    }),
    size: 3,
    nexthop: "example.com",
    recipients: recipients.map((n) => ({
      n,
      address: `r${n}@example.com`,
      original: `r${n}@example.com`,
      orcpt: "",
      notify: [],
    })),
    activeAt: 0,
    keep: false,
    seal: SEAL,
  };
}

function sent(n: number): Outcome {
  return { n, status: "sent", dsn: "2.0.0", text: "ok", remoteMta: "", diagnostic: "" };
}

function handedOver(...recipients: number[]): Handed {
  return { queueId: QUEUE_ID, recipients, seal: SEAL };
}

function reply(recipients: number[]): DeliveryReply {
  return { outcomes: recipients.map(sent), siteProblem: null };
}

interface Heard {
  working: Handed[];
  workingEnded: number;
  reported: { handed: Handed; outcomes: Outcome[] }[];
}

/** An agent with `deliver`, and stubs of the two sides of qmgr. */
class Scene implements AsyncDisposable {
  directory = Deno.makeTempDirSync();
  heard: Heard = { working: [], workingEnded: 0, reported: [] };
  agent: Answerer;
  qmgr;
  #servers: Server[] = [];
  #sockets = new Set<Socket>();
  #outcomes = client(outcomesService, { path: `${this.directory}/outcomes` });

  constructor(deliver: Deliver) {
    setSink(() => {});
    this.agent = deliveryAnswerer("smtp", this.#outcomes, deliver);
    this.#serve("delivery", this.agent);
    this.qmgr = this.connect();
  }

  /** A qmgr that calls the agent. */
  connect() {
    return client(deliveryService("smtp"), { path: `${this.directory}/delivery` });
  }

  /** The qmgr's connection to the agent breaks. */
  killQmgr(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#sockets.clear();
  }

  /** A new qmgr answers `outcomes`. */
  startQmgr(): void {
    this.#serve(
      "outcomes",
      answer(outcomesService, {
        working: (asked, conversation) => {
          this.heard.working.push(asked);
          return new Promise((resolve) => {
            conversation.signal.addEventListener("abort", () => {
              this.heard.workingEnded++;
              resolve({});
            });
          });
        },
        content: () => Promise.reject(new PeerError("not asked here")),
        report: (asked) => {
          this.heard.reported.push(asked);
          return Promise.resolve({});
        },
      }),
    );
  }

  #serve(name: string, answerer: Answerer): void {
    const server = createServer((socket) => {
      this.#sockets.add(socket);
      answerer.attach(socket);
    });
    server.listen(`${this.directory}/${name}`);
    this.#servers.push(server);
  }

  async [Symbol.asyncDispose]() {
    this.qmgr.close();
    this.#outcomes.close();
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all(
      this.#servers.map((each) => new Promise((resolve) => each.close(() => resolve(0)))),
    );
    Deno.removeSync(this.directory, { recursive: true });
  }
}

const CONTENT = new TextEncoder().encode("x\r\n");

Deno.test("deliveryAnswerer() forgets an outcome that qmgr has settled", async () => {
  await using scene = new Scene((asked) =>
    Promise.resolve(reply(asked.recipients.map((r) => r.n)))
  );
  scene.startQmgr();
  const answered = await scene.qmgr.call("deliver", request([0, 1]), CONTENT);
  assertEquals(answered.reply, reply([0, 1]));
  answered.settle();
  await until(() => scene.agent.busy === 0);
  scene.killQmgr();
  await new Promise((resolve) => setTimeout(resolve, 300));
  assertEquals(scene.heard.reported, []);
});

Deno.test("deliveryAnswerer() reports an outcome that qmgr did not settle before it died", async () => {
  await using scene = new Scene(() => Promise.resolve(reply([7])));
  await scene.qmgr.call("deliver", request([7]), CONTENT);
  scene.killQmgr();
  await until(() => scene.agent.connections === 0);
  // Away for longer than the first pause: the agent tries again.
  await new Promise((resolve) => setTimeout(resolve, 300));
  assertEquals(scene.agent.busy, 1);
  scene.startQmgr();
  await until(() => scene.agent.busy === 0);
  assertEquals(scene.heard.reported, [{ handed: handedOver(7), outcomes: [sent(7)] }]);
});

Deno.test("deliveryAnswerer() goes on without qmgr, says so, and reports when done", async () => {
  let finish!: (reply: DeliveryReply) => void;
  await using scene = new Scene(() => new Promise((resolve) => (finish = resolve)));
  const call = scene.qmgr.call("deliver", request([0]), CONTENT);
  call.catch(() => {});
  await until(() => scene.agent.busy === 1);
  scene.killQmgr();
  await assertRejects(() => call);
  scene.startQmgr();
  await until(() => scene.heard.working.length === 1);
  assertEquals(scene.heard.working, [handedOver(0)]);
  assertEquals([scene.heard.workingEnded, scene.heard.reported.length], [0, 0]);
  finish(reply([0]));
  await until(() => scene.heard.reported.length === 1);
  assertEquals(scene.heard.reported, [{ handed: handedOver(0), outcomes: [sent(0)] }]);
  await until(() => scene.heard.workingEnded === 1);
});

Deno.test("deliveryAnswerer() reports nothing when content broke off", async () => {
  await using scene = new Scene(async (_asked, content) => {
    for await (const _ of content); // Throws when qmgr dies in mid-content.
    return reply([0]);
  });
  scene.startQmgr();
  async function* endless() {
    yield CONTENT;
    await new Promise(() => {});
  }
  scene.qmgr.call("deliver", request([0]), endless()).catch(() => {});
  await until(() => scene.agent.busy === 1);
  scene.killQmgr();
  await until(() => scene.agent.busy === 0);
  await new Promise((resolve) => setTimeout(resolve, 300));
  assertEquals(scene.heard.working, []);
  assertEquals(scene.heard.reported, []);
});

for (
  const [why, outcomes] of [
    ["are missing", [0]],
    ["are of another's recipient", [0, 2]],
    ["are doubled", [0, 0]],
    ["are too many", [0, 1, 1]],
  ] as [string, number[]][]
) {
  Deno.test(`deliveryAnswerer() refuses outcomes that ${why}`, async () => {
    await using scene = new Scene(() => Promise.resolve(reply(outcomes)));
    const error = await assertRejects(() => scene.qmgr.call("deliver", request([0, 1]), CONTENT)) as
      & Error
      & { code?: string };
    assertEquals(error.code, "bug");
  });
}

Deno.test("deliveryAnswerer() tells every outcome of many recipients, however long the texts", async () => {
  const text = "x".repeat(MAX_REASON), all = Array.from({ length: 5000 }, (_, n) => n);
  const outcomes = all.map((n) => ({ ...sent(n), text, diagnostic: text }));
  await using scene = new Scene(() =>
    Promise.resolve({ outcomes, siteProblem: { dsn: "4.4.1", text } })
  );
  const { reply } = await scene.qmgr.call("deliver", request(all), CONTENT);
  assertEquals(reply.outcomes.map(({ n, status }) => [n, status]), all.map((n) => [n, "sent"]));
  assertEquals(reply.outcomes.filter(({ text }) => text === ""), []);
  // To the next qmgr as well, when this one dies before it has made them durable.
  scene.killQmgr();
  scene.startQmgr();
  await until(() => scene.heard.reported.length === 1);
  assertEquals(scene.heard.reported[0]!.outcomes.length, 5000);
});

for (
  const [trace, status] of [
    ["verify", "sent"],
    ["verify", "deferred"],
    [undefined, "deliverable"],
    [
      "deliver",
      "undeliverable",
    ],
  ] as const
) {
  Deno.test(`deliveryAnswerer() refuses "${status}" of mail to ${trace ?? "deliver as ever"}`, async () => {
    for (const recipients of [[0], [0, 1]]) {
      const outcomes = recipients.map((n) => ({ ...sent(n), status }));
      await using scene = new Scene(() => Promise.resolve({ outcomes, siteProblem: null }));
      const asked = request(recipients);
      const envelope = trace ? { ...asked.envelope, trace } : asked.envelope;
      const calling = scene.qmgr.call("deliver", { ...asked, envelope }, CONTENT);
      const error = await assertRejects(() => calling) as Error & { code?: string };
      assertEquals(error.code, "bug");
    }
  });
}

Deno.test("drain() waits for a delivery whose qmgr died, and for its report", async () => {
  let finish!: (reply: DeliveryReply) => void;
  await using scene = new Scene(() => new Promise((resolve) => (finish = resolve)));
  scene.startQmgr();
  scene.qmgr.call("deliver", request([0]), CONTENT).catch(() => {});
  await until(() => scene.agent.busy === 1);
  scene.killQmgr();
  let drained = false;
  const draining = scene.agent.drain().then(() => (drained = true));
  await new Promise((resolve) => setTimeout(resolve, 50));
  assertEquals(drained, false);
  finish(reply([0]));
  await draining;
  assertEquals(scene.heard.reported.length, 1);
});
