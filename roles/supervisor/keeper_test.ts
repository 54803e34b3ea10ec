import { assertEquals } from "@std/assert";
import { Compile } from "typebox/schema";
import { controlService, MAX_COUNTERS, ServiceStatus } from "../../shared/protocols/control.ts";
import { setSink } from "../../shared/log/log.ts";
import { MAX_FAILURES } from "./keeper.ts";
import { type Child, lateSockets, setup } from "./test_keeper.ts";
import { turn, until } from "../../tests/support/waiting.ts";

setSink(() => {});

Deno.test("Keeper hands over listeners, then parameters, then says go", async () => {
  const { children, keeper, start } = setup();
  await start();
  assertEquals(children[0]!.heard.map((each) => each.type), ["listen", "start", "go"]);
  assertEquals(children[0]!.heard[1], {
    ...keeper.plan.handover.start,
    pid: 100,
    listeners: 1,
    binds: [],
  });
  assertEquals(keeper.status().state, "running");
  await keeper.stop(100);
});

Deno.test("Keeper ends a role whose socket is not there", async () => {
  const own = {
    binds: [],
    listening() {
      throw new Deno.errors.NotFound("no such socket");
    },
  };
  const { children, keeper } = setup({ ownSockets: () => own });
  void keeper.start();
  children[0]!.begin();
  assertEquals(keeper.status().state, "waiting");
  await keeper.stop(100);
});

Deno.test("Keeper tells why a role was ended, in one line, and starts another", async () => {
  const lines: string[] = [];
  setSink((_severity, text) => lines.push(text));
  const { children, keeper, start } = setup();
  await start();
  for (let i = 0; i < 100; i++) children[0]!.say({ type: "up" });
  setSink(() => {});
  const why = 'said "up" out of turn';
  assertEquals(lines, [`process smtpd pid 100 killed by signal SIGKILL: ${why}`]);
  assertEquals([keeper.status().state, keeper.status().reason], ["waiting", why]);
  await turn(150);
  assertEquals(children.length, 2);
  await keeper.stop(100);
});

Deno.test("Keeper adds up counters of any name, and gives a reason of one line", async () => {
  const { children, keeper, start } = setup({ count: 2 });
  await start();
  keeper.beat(performance.now());
  const said = [{ constructor: 1, a: Number.MAX_SAFE_INTEGER }, { constructor: 2, a: 5, b: 7 }];
  said.forEach((counters, n) => children[n]!.say({ type: "pong", counters, quiet: [] }));
  const { counters } = keeper.status();
  assertEquals(Object.entries(counters), [
    ["constructor", 3],
    ["a", Number.MAX_SAFE_INTEGER],
    ["b", 7],
  ]);
  children[0]!.say({ type: "fatal", text: "two\nlines \x1b[31m", config: false });
  children[0]!.exit(70);
  const status = keeper.status();
  assertEquals(status.reason, "two?lines ?[31m");
  assertEquals(Compile(ServiceStatus).Check(JSON.parse(JSON.stringify(status))), true);
  await keeper.stop(100);
});

Deno.test("Keeper gives a status that fits, whatever each process of a service says that it counts", async () => {
  const { children, keeper, start } = setup({ count: 2 });
  await start();
  keeper.beat(performance.now());
  for (const child of children) {
    const names = Array.from(
      { length: MAX_COUNTERS },
      (_, n) => `a${child.pid}_${n}`.padEnd(64, "x"),
    );
    const counters = Object.fromEntries(names.map((name) => [name, Number.MAX_SAFE_INTEGER]));
    child.say({ type: "pong", counters, quiet: [] });
  }
  const status = { layers: "", services: Array(1000).fill(keeper.status()) };
  const { reply, headerBytes } = controlService.calls.status;
  assertEquals(Compile(reply).Check(status), true);
  assertEquals(JSON.stringify(status).length < headerBytes!, true);
  await keeper.stop(100);
});

Deno.test("Keeper starts a process that died again after a pause", async () => {
  const { children, keeper, start } = setup();
  await start();
  children[0]!.emit("exit", null, "SIGKILL");
  assertEquals(keeper.status().state, "waiting");
  assertEquals(keeper.status().reason, "killed by signal SIGKILL");
  await turn(150);
  assertEquals(children.length, 2);
  children[1]!.begin();
  assertEquals(keeper.status().state, "running");
  assertEquals(keeper.status().restarts, 1);
  await keeper.stop(100);
});

Deno.test("Keeper gives up for a while when a role dies at start again and again", async () => {
  const { children, keeper } = setup();
  const started = keeper.start();
  for (let i = 0; i < MAX_FAILURES; i++) {
    while (children.length <= i) await turn(20);
    children[i]!.say({ type: "fatal", text: "no such table", config: true });
    children[i]!.exit(78);
  }
  await started;
  assertEquals(keeper.status().state, "failed");
  assertEquals(keeper.status().reason, "no such table");
  assertEquals(children.length, MAX_FAILURES);
  await keeper.stop(100);
});

Deno.test("Keeper gives up for as long as the plan in force says", async () => {
  const { children, keeper, plan, start } = setup();
  await start();
  await Promise.all([
    keeper.replace({ ...plan, throttleMs: 200 }),
    until(() => children.length > 1).then(() => children[1]!.begin()),
  ]);
  for (let i = 1; i <= MAX_FAILURES; i++) {
    await until(() => children.length > i);
    children[i]!.exit(78);
  }
  await until(() => children.length > MAX_FAILURES + 1);
  await keeper.stop(100);
});

Deno.test("Keeper counts a process that cannot be launched like one that ended, and tries again", async () => {
  const lines: string[] = [];
  setSink((_severity, text) => lines.push(text));
  const { children, keeper } = setup({ onRequest: true, ownSockets: lateSockets(1) });
  keeper.wanted();
  setSink(() => {});
  const why = "no space left on device";
  assertEquals(lines, [`process smtpd: cannot be started: ${why}`]);
  const { state, reason, restarts } = keeper.status();
  assertEquals([state, reason, restarts], ["waiting", why, 1]);
  keeper.wanted();
  assertEquals(children.length, 0);
  await turn(150);
  children[0]!.begin();
  assertEquals([keeper.status().state, keeper.status().reason], ["running", ""]);
  await keeper.stop(100);
});

Deno.test("Keeper gives up for a while when a process cannot be launched again and again", async () => {
  const { children, keeper } = setup({ ownSockets: lateSockets(Infinity) });
  await keeper.start();
  assertEquals([keeper.status().state, children.length], ["failed", 0]);
  await keeper.stop(100);
});

Deno.test("Keeper kills a process whose event loop does not answer", async () => {
  const { children, keeper, start } = setup();
  await start();
  keeper.beat(performance.now() + 29_000);
  assertEquals(children[0]!.heard.at(-1), { type: "ping" });
  assertEquals(keeper.status().state, "running");
  keeper.beat(performance.now() + 31_000);
  assertEquals(keeper.status().state, "waiting");
  await keeper.stop(100);
});

Deno.test("Keeper kills a process that lives on and takes no connection, and starts another", async () => {
  const knocks: string[] = [];
  const knock = (service: string) => void knocks.push(service);
  const { children, keeper, start } = setup({ answers: ["intake", "bodies"], knock });
  await start();
  for (let i = 0; i < 3; i++) {
    keeper.beat(performance.now());
    assertEquals(keeper.status().state, "running");
    children[0]!.say({ type: "pong", counters: {}, quiet: ["bodies"] });
  }
  keeper.beat(performance.now());
  assertEquals([knocks, keeper.status().state], [["bodies", "bodies"], "waiting"]);
  await keeper.stop(100);
});

for (const how of ["replaced", "removed"] as const) {
  Deno.test(`Keeper kills a ${how} process that lives on an hour after it was told to finish`, async () => {
    const lines: string[] = [];
    setSink((_severity, text) => lines.push(text));
    const { children, keeper, plan, start } = setup();
    await start();
    const [old] = children as [Child];
    old.stays = true;
    if (how === "removed") keeper.leave(() => lines.push("gone"));
    else {
      await Promise.all([
        keeper.replace({ ...plan }),
        until(() => children.length > 1).then(() => children[1]!.begin()),
      ]);
    }
    const told = performance.now();
    for (const minutes of [1, 59]) {
      keeper.beat(told + minutes * 60_000);
      for (const child of children) child.say({ type: "pong", counters: {}, quiet: [] });
    }
    assertEquals([old.heard.at(-2)!.type, lines], ["ping", []]);
    keeper.beat(told + 61 * 60_000);
    setSink(() => {});
    const killed = "process smtpd pid 100 has not finished an hour after it was told: killed";
    assertEquals(lines, how === "removed" ? [killed, "gone"] : [killed]);
    assertEquals([...keeper.members].map(({ pid }) => pid), how === "removed" ? [] : [101]);
    assertEquals(children.length, how === "removed" ? 1 : 2);
    await keeper.stop(100);
  });
}

Deno.test("Keeper starts nothing once it is stopped", async () => {
  const { children, keeper, plan, start } = setup();
  await start();
  await keeper.stop(100);
  await keeper.replace({ ...plan });
  keeper.wanted();
  await turn();
  assertEquals(children.length, 1);
});

Deno.test("Keeper starts a rare role when it is wanted, and again when a want meets a closing door", async () => {
  const { children, keeper } = setup({ onRequest: true });
  assertEquals(keeper.status().state, "idle");
  keeper.wanted();
  children[0]!.begin();
  children[0]!.say({ type: "idle" });
  await turn();
  assertEquals(children.length, 2);
  await keeper.stop(100);
});

Deno.test("Keeper passes wants on", async () => {
  const { children, keeper, start, wants } = setup();
  await start();
  children[0]!.say({ type: "want", service: "dns" });
  assertEquals(wants, ["dns"]);
  await keeper.stop(100);
});
