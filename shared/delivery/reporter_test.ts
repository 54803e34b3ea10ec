/** What a restarted qmgr is told, in which order, and how much at a time. */

import { assertEquals } from "@std/assert";
import type { Client } from "../ipc/client.ts";
import { CallError } from "../ipc/failure.ts";
import { setSink } from "../log/log.ts";
import type { outcomesService } from "../protocols/queue.ts";
import { turn, until } from "../../tests/support/waiting.ts";
import { Reporter, type Unsettled } from "./reporter.ts";

type OutcomesClient = Client<typeof outcomesService.calls>;
type Failure = ConstructorParameters<typeof CallError>[0];

/** A delivery that has ended, unless it still `runs`. */
function delivery(queueId: string, runs = false): Unsettled {
  const outcome = { n: 0, dsn: "2.0.0", text: "ok", remoteMta: "", diagnostic: "" };
  return {
    handed: { queueId, recipients: [0], seal: "" },
    outcomes: runs ? undefined : [{ ...outcome, status: "sent" }],
    told: false,
  };
}

/** A qmgr that answers reports when the test says so. */
class Scene {
  /** What was said, in order. */
  readonly heard: string[] = [];
  readonly waiting: (() => void)[] = [];
  /** End the conversations about what is being delivered, in good order. */
  readonly claims: (() => void)[] = [];
  /** Why the next reports of these messages fail. */
  readonly failing = new Map<string, Failure[]>();
  readonly reporter;

  constructor() {
    setSink(() => {});
    const call = (name: string, asked: { queueId: string; handed?: { queueId: string } }) => {
      const queueId = asked.handed?.queueId ?? asked.queueId;
      this.heard.push(`${name} ${queueId}`);
      if (name === "working") return new Promise((end) => this.claims.push(() => end({})));
      return new Promise((resolve, reject) => {
        this.waiting.push(() => {
          const code = this.failing.get(queueId)?.shift();
          if (code) reject(new CallError(code, "outcomes: no"));
          else resolve({});
        });
      });
    };
    const limits = { firstPauseMs: 1, maxPauseMs: 600_000, kept: 20_000 };
    const client = { call, close() {} } as unknown as OutcomesClient;
    this.reporter = new Reporter(client, limits);
  }

  answer(): void {
    for (const reply of this.waiting.splice(0)) reply();
  }

  /** Answers until nothing is kept any more. */
  async untilEmpty(): Promise<void> {
    await until(() => (this.answer(), this.reporter.size === 0));
  }
}

Deno.test("all that is kept is claimed before anything is reported, also what has ended", async () => {
  const scene = new Scene();
  const kept = [delivery("a"), delivery("b", true), delivery("c")];
  for (const each of kept) scene.reporter.add(each);
  await until(() => scene.waiting.length === 2);
  assertEquals(scene.heard, ["working a", "working b", "working c", "report a", "report c"]);
  kept[1]!.outcomes = kept[0]!.outcomes;
  scene.reporter.finished(kept[1]!);
  await scene.untilEmpty();
});

Deno.test("reports go together, but not more than a hundred at a time", async () => {
  const scene = new Scene();
  for (let i = 0; i < 250; i++) scene.reporter.add(delivery(`${i}`));
  for (const more of [100, 100, 50]) {
    await until(() => scene.waiting.length === more);
    scene.answer();
  }
  await scene.untilEmpty();
});

for (const code of ["storage", "deadline", "bug", "refused"] as const) {
  Deno.test(`reports go on past one that fails: ${code}`, async () => {
    const scene = new Scene();
    scene.failing.set("0", [code]);
    for (let i = 0; i < 150; i++) scene.reporter.add(delivery(`${i}`));
    await until(() => scene.waiting.length === 100);
    scene.answer();
    await until(() => scene.waiting.length === 50);
    scene.answer();
    await scene.untilEmpty();
    const reports = scene.heard.filter((each) => each === "report 0").length;
    assertEquals(reports, code === "refused" ? 1 : 2);
  });
}

Deno.test("a qmgr that is away is not asked again for each report", async () => {
  const scene = new Scene();
  for (let i = 0; i < 150; i++) {
    scene.failing.set(`${i}`, ["unavailable"]);
    scene.reporter.add(delivery(`${i}`));
  }
  await until(() => scene.waiting.length === 100);
  const before = scene.heard.length;
  scene.waiting.shift()!();
  await turn();
  assertEquals(scene.heard.length, before);
  scene.failing.clear();
  await scene.untilEmpty();
});

Deno.test("what comes, or ends, while reports are under way is said right after them", async () => {
  const scene = new Scene();
  const running = delivery("b", true);
  scene.reporter.add(running);
  scene.reporter.add(delivery("a"));
  await until(() => scene.waiting.length === 1);
  scene.reporter.add(delivery("c"));
  running.outcomes = [];
  scene.reporter.finished(running);
  scene.answer();
  await until(() => scene.waiting.length === 2);
  assertEquals(scene.heard.slice(3), ["working c", "report b", "report c"]);
  await scene.untilEmpty();
});

Deno.test("the next qmgr hears of what still runs when the former one has ended in good order", async () => {
  const scene = new Scene(), running = delivery("a", true);
  scene.reporter.add(running);
  for (const times of [1, 2, 3]) {
    await until(() => scene.heard.length === times);
    scene.claims.pop()!();
  }
  assertEquals(scene.heard, Array(3).fill("working a"));
  running.outcomes = delivery("a").outcomes;
  scene.reporter.finished(running);
  await scene.untilEmpty();
});
