/** A role in a worker: what it may do is exactly what it was given, and its process keeps nothing. */

import { assertEquals } from "@std/assert";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { fromFileUrl, join } from "@std/path";
import { type Grant } from "../../policies/grant.ts";
import { policyOf } from "../../policies/mod.ts";
import { workerFlags, workerPermissions } from "../../policies/worker.ts";

const CONFINE = fromFileUrl(new URL("./confine.ts", import.meta.url));
const CONTROL = fromFileUrl(new URL("./control_channel.ts", import.meta.url));
const MAIN = fromFileUrl(new URL("../../main.ts", import.meta.url));

/** Tries what it is told to, as a role's code would. */
const ROLE = `
import { connect } from "node:net";
const tries = {
  read: (path) => Deno.readTextFileSync(path),
  write: (path) => Deno.writeTextFileSync(path, "x"),
  env: (name) => Deno.env.get(name),
  run: (program) => new Deno.Command(program).outputSync(),
  listen: (path) => Deno.listen({ transport: "unix", path }).close(),
  connect: (path) => new Promise((resolve, reject) => {
    const socket = connect({ path }, () => resolve(socket.destroy()));
    socket.on("error", reject);
  }),
};
self.addEventListener("message", async ({ data }) => {
  const results = [];
  for (const [how, target] of data) {
    try {
      await tries[how](target);
      results.push("done");
    } catch (error) {
      results.push(error.name === "NotCapable" || error.code === "EPERM" ? "refused" : String(error));
    }
  }
  self.postMessage({ type: "results", results });
});
self.postMessage({ type: "up" });
`;

/** Runs confine() and tries to read a file when the role's code is up. */
const PROCESS = `
import { confine } from ${JSON.stringify(`file://${CONFINE}`)};
import process from "node:process";
const before = Deno.permissions.querySync({ name: "read" }).state;
confine(Deno.args[0], Deno.args[1]);
process.on("message", () => {
  const kinds = ["read", "write", "net", "env", "run", "ffi", "sys", "import"];
  const after = kinds.filter((name) => Deno.permissions.querySync({ name }).state === "granted");
  process.send({ before, after });
});
`;

class Stage implements AsyncDisposable {
  readonly directory = Deno.makeTempDirSync({ prefix: "postern-confine-" });
  readonly called = join(this.directory, "called");
  readonly own = join(this.directory, "own");
  readonly grant: Grant = {
    row: policyOf("cleanup")!,
    service: "cleanup",
    sockets: { rewrite: this.called },
    foreignSockets: [],
    reads: [],
    writes: [],
    hosts: [],
    user: null,
    capabilities: [],
  };
  #server = createServer().listen(this.called);

  /** Starts a process around ROLE, waits until it is up, sends one message and brings back the answer. */
  async answer(script: readonly string[], message: unknown): Promise<unknown> {
    const child = this.start(script, ROLE);
    try {
      assertEquals((await once(child, "message"))[0], { type: "up" });
      child.send(message as object);
      return (await once(child, "message"))[0];
    } finally {
      child.kill();
      await once(child, "exit");
    }
  }

  /** Starts a process around a role of this code. */
  start(script: readonly string[], role: string): ChildProcess {
    const module = this.#file("role.js", role);
    const permissions = workerPermissions(this.grant, [
      { answers: "cleanup", path: this.own, address: "", port: 0 },
    ]);
    const args = [
      "run",
      ...workerFlags(this.grant),
      ...script,
      module,
      JSON.stringify(permissions),
    ];
    // Another spelling of the path, because node:child_process takes its own to mean something else.
    return spawn(Deno.execPath().replace(/deno$/, "./deno"), args, {
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
  }

  script(text: string): string {
    return this.#file("process.js", text);
  }

  #file(name: string, text: string): string {
    const path = join(this.directory, name);
    Deno.writeTextFileSync(path, text);
    return path;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await new Promise((resolve) => this.#server.close(resolve));
    await Deno.remove(this.directory, { recursive: true });
  }
}

/** How `deno run` starts a role, and how a compiled program does. */
for (const [how, script] of [["confine.ts", [CONFINE]], ["main.ts", [MAIN, "confine"]]] as const) {
  Deno.test(`a role in a worker of ${how} may do what its row grants, and nothing else`, async () => {
    await using stage = new Stage();
    const tries = [
      ["connect", stage.called, "done"],
      ["listen", stage.own, "done"],
      ["listen", `${stage.directory}/other`, "refused"],
      ["connect", `${stage.directory}/other`, "refused"],
      ["read", "/etc/passwd", "refused"],
      ["read", CONFINE, "refused"],
      ["write", `${stage.directory}/file`, "refused"],
      ["env", "HOME", "refused"],
      ["run", "/bin/true", "refused"],
    ];
    assertEquals(await stage.answer(script, tries.map(([how, target]) => [how, target])), {
      type: "results",
      results: tries.map(([, , expected]) => expected),
    });
  });
}

Deno.test("the process around a worker keeps no permission once the role is up", async () => {
  await using stage = new Stage();
  assertEquals(await stage.answer([stage.script(PROCESS)], []), { before: "granted", after: [] });
});

/** Ends itself as no role does, when it is told how. */
const CLOSING = `
import { openControl } from ${JSON.stringify(`file://${CONTROL}`)};
const control = openControl();
control.onMessage((how) => {
  if (how === "close") self.close();
  if (how === "throw") throw new Error("at once");
  if (how === "exit") {
    control.exit(7);
    self.close();
  }
});
control.say({ type: "up" });
`;

for (const [how, code] of [["close", 70], ["throw", 70], ["exit", 7]] as const) {
  Deno.test(`the process ends at once when its worker ends by ${how}, with exit status ${code}`, async () => {
    await using stage = new Stage();
    const child = stage.start([CONFINE], CLOSING);
    const exit = once(child, "exit");
    assertEquals((await once(child, "message"))[0], { type: "up" });
    // Far less than a heartbeat.
    const late = setTimeout(() => child.kill("SIGKILL"), 10_000);
    child.send(how as unknown as object);
    assertEquals(await exit, [code, null]);
    clearTimeout(late);
  });
}
