import { assertEquals, assertRejects } from "@std/assert";
import { EventEmitter } from "node:events";
import type { ChildProcess } from "node:child_process";
import { Compile } from "typebox/schema";
import { controlService, MAX_COUNTERS, ServiceStatus } from "../../shared/protocols/control.ts";
import type { FromRole, ToRole } from "../../shared/role/control_messages.ts";
import { setSink } from "../../shared/log/log.ts";
import { Keeper, MAX_FAILURES, type Plan } from "./keeper.ts";
import { turn } from "../../tests/support/waiting.ts";

setSink(() => {});

/** A child process that does as the test says. */
class Child extends EventEmitter {
  connected = true;
  readonly heard: ToRole[] = [];

  constructor(readonly pid: number) {
    super();
  }

  send(value: ToRole): boolean {
    this.heard.push(value);
    if (value.type === "drain") queueMicrotask(() => this.exit(0));
    return true;
  }

  /** Ends by itself. */
  exit(code: number): void {
    this.emit("disconnect");
    this.emit("exit", code, null);
  }

  kill(): boolean {
    this.emit("exit", null, "SIGKILL");
    return true;
  }

  say(value: FromRole): void {
    this.emit("message", value);
  }

  /** Goes through the whole start: there is one listener. */
  begin(): void {
    this.say({ type: "up" });
    this.say({ type: "took" });
    this.say({ type: "ready" });
  }
}

function setup(change: Partial<Plan> = {}) {
  const children: Child[] = [];
  const plan: Plan = {
    service: "smtp",
    role: "smtpd",
    count: 1,
    onRequest: false,
    fixed: undefined,
    answers: [],
    knock() {},
    handover: {
      start: {
        type: "start",
        service: "smtp",
        role: "smtpd",
        hostname: "test",
        parameters: {},
        sockets: { dns: "/s" },
        log: {},
        onRequest: [],
        connections: 10,
        tls: null,
        maxIdleSeconds: 0,
      },
      listeners: [{ answers: "", handle: {} }],
    },
    launch() {
      children.push(new Child(100 + children.length));
      return children.at(-1) as unknown as ChildProcess;
    },
    ...change,
  };
  const wants: string[] = [];
  return {
    children,
    plan,
    wants,
    keeper: new Keeper(plan, 60_000, (_, service) => wants.push(service)),
  };
}

Deno.test("Keeper hands over listeners, then parameters, then says go", async () => {
  const { children, keeper } = setup();
  const started = keeper.start();
  children[0]!.begin();
  await started;
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
  const { children, keeper } = setup();
  const started = keeper.start();
  children[0]!.begin();
  await started;
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
  const { children, keeper } = setup({ count: 2 });
  const started = keeper.start();
  for (const child of children) child.begin();
  await started;
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
  const { children, keeper } = setup({ count: 2 });
  const started = keeper.start();
  for (const child of children) child.begin();
  await started;
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
  const { children, keeper } = setup();
  const started = keeper.start();
  children[0]!.begin();
  await started;
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

/** A plan's own sockets of which the first cannot be had. */
function lateSockets(failures: number): NonNullable<Plan["ownSockets"]> {
  return () => {
    if (failures-- > 0) throw new Error("no space left on device");
    return { binds: [], listening() {} };
  };
}

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

Deno.test("Keeper keeps the old processes when only some of the new ones can be launched", async () => {
  const { children, keeper, plan } = setup({ count: 2 });
  const started = keeper.start();
  for (const child of children) child.begin();
  await started;
  const launch = () => {
    if (children.length === 3) throw new Error("no more processes");
    return plan.launch({});
  };
  await assertRejects(() => keeper.replace({ ...plan, launch }), Error, "smtp: no more processes");
  assertEquals(keeper.status().pids, [100, 101]);
  await keeper.stop(100);
});

Deno.test("Keeper kills a process whose event loop does not answer", async () => {
  const { children, keeper } = setup();
  const started = keeper.start();
  children[0]!.begin();
  await started;
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
  const { children, keeper } = setup({ answers: ["intake", "bodies"], knock });
  const started = keeper.start();
  children[0]!.begin();
  await started;
  for (let i = 0; i < 3; i++) {
    keeper.beat(performance.now());
    assertEquals(keeper.status().state, "running");
    children[0]!.say({ type: "pong", counters: {}, quiet: ["bodies"] });
  }
  keeper.beat(performance.now());
  assertEquals([knocks, keeper.status().state], [["bodies", "bodies"], "waiting"]);
  await keeper.stop(100);
});

Deno.test("Keeper drains the old process only when the new one is ready", async () => {
  const { children, keeper, plan } = setup();
  const started = keeper.start();
  children[0]!.begin();
  await started;
  const replaced = keeper.replace({ ...plan });
  await turn();
  assertEquals(children.length, 2);
  assertEquals(children[0]!.heard.at(-1)!.type, "go");
  children[1]!.begin();
  await replaced;
  assertEquals(children[0]!.heard.at(-1), { type: "drain" });
  await turn();
  assertEquals(keeper.status().pids, [101]);
  await keeper.stop(100);
});

Deno.test("Keeper keeps the old process when the new one does not start", async () => {
  const { children, keeper, plan } = setup();
  const started = keeper.start();
  children[0]!.begin();
  await started;
  const replaced = assertRejects(() => keeper.replace({ ...plan }), Error, "smtp: bad restriction");
  await turn();
  children[1]!.say({ type: "fatal", text: "bad restriction", config: true });
  children[1]!.exit(78);
  await replaced;
  assertEquals(keeper.status().pids, [100]);
  assertEquals(keeper.status().state, "running");
  await keeper.stop(100);
});

Deno.test("Keeper reloads a role in place when there must be only one", async () => {
  const { children, keeper, plan } = setup({ fixed: "as it was" });
  const started = keeper.start();
  children[0]!.begin();
  await started;
  await keeper.replace({ ...plan });
  assertEquals(children.length, 1);
  assertEquals(children[0]!.heard.at(-1)!.type, "reload");
  await keeper.stop(100);
});

Deno.test("Keeper reloads a role that starts when it is ready, with what was asked for last", async () => {
  const { children, keeper, plan } = setup({ fixed: "as it was" });
  const started = keeper.start();
  const [child] = children;
  const { handover } = plan;
  for (const life of ["1d", "2d"]) {
    const start = { ...handover.start, parameters: { life } };
    await keeper.replace({ ...plan, handover: { ...handover, start } });
  }
  child!.begin();
  await started;
  assertEquals(child!.heard.map(({ type }) => type), ["listen", "start", "go", "reload"]);
  assertEquals((child!.heard.at(-1) as { parameters: unknown }).parameters, { life: "2d" });
  await keeper.stop(100);
});

Deno.test("Keeper ends the only one before it starts one with other rights", async () => {
  const { children, keeper, plan } = setup({ fixed: "as it was" });
  const started = keeper.start();
  children[0]!.begin();
  await started;
  const replaced = keeper.replace({ ...plan, fixed: "other rights" });
  await turn();
  assertEquals(children[0]!.heard.at(-1)!.type, "drain");
  assertEquals(keeper.status().restarts, 0);
  while (children.length < 2) await turn();
  children[1]!.begin();
  await replaced;
  assertEquals(keeper.status().pids, [101]);
  await keeper.stop(100);
});

Deno.test("Keeper starts the only one as before when the next one cannot even be launched", async () => {
  const { children, keeper, plan } = setup({ fixed: "as it was" });
  const started = keeper.start();
  children[0]!.begin();
  await started;
  const launch = () => {
    throw new Error("no such program");
  };
  const other = { ...plan, fixed: "other rights", launch };
  await assertRejects(() => keeper.replace(other), Error, "smtp: no such program");
  children[1]!.begin();
  assertEquals([keeper.plan.fixed, keeper.status().pids], ["as it was", [101]]);
  await keeper.stop(100);
});

Deno.test("Keeper starts no second one while the only one is replaced, whoever wants it", async () => {
  const { children, keeper, plan } = setup({ fixed: "as it was", onRequest: true });
  keeper.wanted();
  children[0]!.begin();
  const replaced = keeper.replace({ ...plan, fixed: "other rights" });
  keeper.wanted();
  await turn();
  keeper.wanted();
  while (children.length < 2) await turn();
  children[1]!.begin();
  await replaced;
  keeper.wanted();
  assertEquals([children.length, keeper.status().pids], [2, [101]]);
  await keeper.stop(100);
});

Deno.test("Keeper starts the only one as before when it does not start with other rights", async () => {
  const { children, keeper, plan } = setup({ fixed: "as it was" });
  const started = keeper.start();
  children[0]!.begin();
  await started;
  const other = { ...plan, fixed: "other rights" };
  const replaced = assertRejects(() => keeper.replace(other), Error, "smtp: no such table");
  while (children.length < 2) await turn();
  children[1]!.say({ type: "fatal", text: "no such table", config: true });
  children[1]!.exit(78);
  await replaced;
  children[2]!.begin();
  assertEquals([keeper.plan.fixed, keeper.status().pids], ["as it was", [102]]);
  await keeper.stop(100);
});

Deno.test("Keeper starts nothing once it is stopped", async () => {
  const { children, keeper, plan } = setup();
  const started = keeper.start();
  children[0]!.begin();
  await started;
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
  const { children, keeper, wants } = setup();
  const started = keeper.start();
  children[0]!.begin();
  await started;
  children[0]!.say({ type: "want", service: "dns" });
  assertEquals(wants, ["dns"]);
  await keeper.stop(100);
});
