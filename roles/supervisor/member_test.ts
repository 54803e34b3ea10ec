/** A role that was taken over says to the supervisor what it likes: what follows is its end, and nothing else. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { type ChildProcess, spawn } from "node:child_process";
import { EventEmitter } from "node:events";
import fc from "fast-check";
import { peerTest } from "../../tests/support/peers.ts";
import { until } from "../../tests/support/waiting.ts";
import { bindInet } from "./handles.ts";
import { MAX_A_SECOND } from "./inbox.ts";
import { Member } from "./member.ts";
import { refuseHandles } from "./refuse_handles.ts";

/** What became of a member. */
class World {
  readonly events: string[] = [];
  ended: string | undefined;
  readonly member: Member;

  constructor(
    child: ChildProcess,
    listeners: { answers: string; handle: unknown }[] = [],
    sockets: Record<string, string> = {},
  ) {
    const start = {
      type: "start",
      service: "smtp",
      role: "smtpd",
      hostname: "test",
      parameters: {},
      sockets,
      log: {},
      onRequest: [],
      connections: 10,
      tls: null,
      maxIdleSeconds: 0,
    } as const;
    const handover = { start: { ...start, onRequest: [] }, listeners, binds: [] };
    this.member = new Member(child, handover, {
      ready: () => this.events.push("ready"),
      want: (service) => this.events.push(`want ${service}`),
      idle: () => this.events.push("idle"),
      exit: (gone, how) => this.ended = `${how}: ${gone.fatal?.text}`,
    });
  }
}

/** A process in memory. */
class Child extends EventEmitter {
  connected = true;
  readonly pid = 100;
  readonly heard: string[] = [];
  killed = false;

  send({ type }: { type: string }): boolean {
    return this.heard.push(type) > 0;
  }

  kill(): boolean {
    if (!this.killed) queueMicrotask(() => this.emit("exit", null, "SIGKILL"));
    return this.killed = true;
  }
}

/** Lets a process in memory say all this; then it is over, or not. */
async function told(...messages: unknown[]): Promise<World & { child: Child }> {
  const child = new Child();
  const world = new World(child as unknown as ChildProcess);
  for (const message of messages) child.emit("message", message, undefined);
  await Promise.resolve();
  return Object.assign(world, { child });
}

const UP = { type: "up" },
  READY = { type: "ready" },
  PONG = { type: "pong", counters: {}, quiet: [] };
const WANT = { type: "want", service: "dns" };

const OUT_OF_TURN: readonly (readonly [what: string, messages: unknown[], why: string])[] = [
  ["is up twice", [UP, UP], 'said "up" out of turn'],
  ["is up again when it is ready", [UP, READY, UP], 'said "up" out of turn'],
  ["is ready before it is up", [READY], 'said "ready" out of turn'],
  ["is ready twice", [UP, READY, READY], 'said "ready" out of turn'],
  ["takes what it was not given", [UP, { type: "took" }], 'said "took" out of turn'],
  ["wants something before it is up", [WANT], 'said "want" out of turn'],
  ["is idle before it is ready", [UP, { type: "idle" }], 'said "idle" out of turn'],
  ["gives a sign of life that nobody asked for", [UP, READY, PONG], 'said "pong" unasked'],
  ["says what no role says", [UP, "x".repeat(100_000)], "sent a message not of the declared shape"],
  ["has a counter named __proto__", [
    UP,
    READY,
    JSON.parse(`{"type":"pong","quiet":[],"counters":{"__proto__":1}}`),
  ], "sent a message not of the declared shape"],
  ["says too much", [
    UP,
    // What a second allows comes back while they are sent.
    ...Array(40 * MAX_A_SECOND).fill(WANT),
  ], `sent more than ${MAX_A_SECOND} messages in a second`],
];

for (const [what, messages, why] of OUT_OF_TURN) {
  Deno.test(`Member ends a role that ${what}`, async () => {
    const { ended } = await told(...messages);
    assertEquals(ended, `killed by signal SIGKILL: ${why}`);
  });
}

Deno.test("Member hands over once, whatever is said, and hears nothing after the first wrong word", async () => {
  const message = fc.constantFrom<unknown>(UP, READY, PONG, WANT, { type: "idle" }, null, "up", {});
  await fc.assert(fc.asyncProperty(fc.array(message, { maxLength: 50 }), async (messages) => {
    const { child, events, ended } = await told(...messages);
    assert(child.heard.filter((type) => type === "start").length <= 1);
    assert(events.filter((event) => event === "ready").length <= 1);
    if (!ended) return;
    const before = events.length;
    for (const each of [UP, READY, WANT]) child.emit("message", each, undefined);
    assertEquals(events.length, before);
  }));
});

Deno.test("Member lets a role take all its listeners and ask for all its services at once", async () => {
  const listeners = Array.from({ length: 300 }, (_, n) => ({ answers: `l${n}`, handle: {} }));
  const services = Array.from({ length: 200 }, (_, n) => `s${n}`);
  const child = new Child();
  const sockets = Object.fromEntries(services.map((name) => [name, "/s"]));
  const world = new World(child as unknown as ChildProcess, listeners, sockets);
  const says = (message: unknown) => child.emit("message", message, undefined);
  says(UP);
  for (const _ of listeners) says({ type: "took" });
  says(READY);
  for (const service of services) says({ type: "want", service });
  assertEquals([world.events.length, child.heard.at(-1)], [201, "go"]);
  for (let n = 0; n < 10_000; n++) says(WANT);
  await Promise.resolve();
  assertMatch(world.ended!, /: sent more than 600 messages in a second$/);
});

Deno.test("Member takes as many signs of life as it asked for", async () => {
  const { child, member, ended } = await told(UP, READY);
  for (let i = 0; i < 3; i++) member.beat(performance.now());
  for (let i = 0; i < 3; i++) child.emit("message", PONG, undefined);
  await Promise.resolve();
  assertEquals([ended, child.heard.filter((type) => type === "ping").length], [undefined, 3]);
  child.emit("message", PONG, undefined);
  assertEquals(child.killed, true);
});

Deno.test("Member gives a role time to answer when it was stopped itself", async () => {
  const { child, member } = await told(UP, READY);
  const hour = performance.now() + 3_600_000;
  member.beat(hour);
  assertEquals(child.killed, false);
  for (const seconds of [10, 20, 30]) member.beat(hour + seconds * 1000);
  assertEquals(child.killed, false);
  member.beat(hour + 40_000);
  assertEquals(child.killed, true);
});

Deno.test("Member tells a role once to go, however often it says that it is idle", async () => {
  const { child, member } = await told(UP, READY);
  member.drain();
  for (let i = 0; i < 10; i++) {
    child.emit("message", { type: "idle" }, undefined);
    member.drain();
  }
  assertEquals(child.heard.filter((type) => type === "drain").length, 1);
});

/** A process that runs this module of node's; it has a control channel, and no confinement. */
function hostile(code: string): ChildProcess {
  const deno = Deno.execPath().replace(/\/deno$/, "/./deno");
  const module = `data:text/javascript,${
    encodeURIComponent(`import process from "node:process";${code}`)
  }`;
  return spawn(deno, ["run", "--quiet", "--allow-all", module], {
    stdio: ["ignore", "ignore", "ignore", "ipc"],
  });
}

function descriptors(): number {
  return [...Deno.readDirSync("/proc/self/fd")].length;
}

Deno.test("Member keeps no descriptor of a role that sends its listener back, again and again", async () => {
  const before = descriptors();
  const handle = bindInet("127.0.0.1", 0, "test");
  const world = new World(
    hostile(`process.on("message", (_, handle) => {
      if (handle) for (let i = 0; i < 500; i++) process.send({ type: "ready" }, handle);
    });
    process.send({ type: "up" });`),
    [{ answers: "", handle }],
  );
  await until(() => world.ended !== undefined, 30_000);
  handle.close();
  assertMatch(world.ended!, /: (sent a handle|sent a message of the runtime's own)$/);
  await until(() => descriptors() <= before + 1);
});

Deno.test("Member hands nothing over to a role that only says up", async () => {
  const handle = bindInet("127.0.0.1", 0, "test");
  const before = descriptors();
  const world = new World(
    hostile(`for (let i = 0; i < 5000; i++) process.send({ type: "up" });
      setTimeout(() => { for (;;) { /* It reads nothing. */ } }, 300);`),
    Array(20).fill({ answers: "", handle }),
  );
  await until(() => world.ended !== undefined, 30_000);
  handle.close();
  assertEquals(world.ended, 'killed by signal SIGKILL: said "up" out of turn');
  await until(() => descriptors() < before);
});

Deno.test("Member hands the next listener over when the last one was taken", async () => {
  const listeners = [{ answers: "a", handle: {} }, { answers: "b", handle: {} }];
  const child = new Child();
  const world = new World(child as unknown as ChildProcess, listeners);
  const says = (message: unknown) => child.emit("message", message, undefined);
  says(UP);
  assertEquals(child.heard, ["listen"]);
  says({ type: "took" });
  assertEquals(child.heard, ["listen", "listen"]);
  says({ type: "took" });
  assertEquals(child.heard, ["listen", "listen", "start", "go"]);
  says({ type: "took" });
  await Promise.resolve();
  assertEquals(world.ended, 'killed by signal SIGKILL: said "took" out of turn');
});

Deno.test("Member hears what a role said last, though its end is told first", async () => {
  const world = await told(UP);
  world.child.emit("exit", 78, null);
  assertEquals(world.ended, undefined);
  world.child.emit("message", { type: "fatal", text: "why", config: false }, undefined);
  world.child.emit("disconnect");
  assertEquals(world.ended, "exit status 78: why");
  const mute = await told(UP);
  mute.child.emit("exit", 70, null);
  await until(() => mute.ended !== undefined);
  assertEquals(mute.ended, "exit status 70: undefined");
});

Deno.test("Member ends a role that closes its control channel and lives on", async () => {
  const world = new World(hostile(`process.on("disconnect", () => {});
    setInterval(() => {}, 1000);
    process.send({ type: "up" });
    setTimeout(() => process.disconnect(), 100);`));
  await until(() => world.ended !== undefined, 30_000);
  assertMatch(world.ended!, /^killed by signal SIGKILL/);
});

/** Sends descriptors as no JavaScript can: with messages that need none. */
const RAW = `
import array, os, socket
channel = socket.socket(fileno=int(os.environ["NODE_CHANNEL_FD"]))
for text in [b'{"type":"up"}', b'{"cmd":"NODE_HANDLE_ACK"}', b'{"cmd":"NODE_OTHER"}', b'"']:
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0, 0, 0]))]
    try:
        channel.sendmsg([text + b"\\n"], rights)
    except PermissionError:
        channel.sendmsg([b'{"type":"fatal","text":"refused by the kernel","config":false}\\n'])
        break
`;

peerTest(
  "a kernel that can lets no role send a descriptor, whatever the message",
  ["python3"],
  async ({ python3 }) => {
    const before = descriptors();
    const child = spawn(python3, ["-c", RAW], { stdio: ["ignore", "ignore", "inherit", "ipc"] });
    const refuses = refuseHandles();
    const world = new World(child);
    await until(() => world.ended !== undefined, 30_000);
    // Older kernels: the first such message that is told of ends the role.
    const why = refuses ? "refused by the kernel" : "sent a message of the runtime's own";
    assertEquals(world.ended!.endsWith(why), true, world.ended);
    if (refuses) await until(() => descriptors() <= before);
  },
);
