/** One role alone, as a developer runs it: against stubs, and against the running system. */

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { SmtpClient } from "../support/smtp.ts";
import { freePort, postern, root, System } from "../support/system.ts";
import { pause } from "../support/waiting.ts";

/** `postern role ...` as a process whose output is read as it comes. */
class RoleCommand implements AsyncDisposable {
  output = "";
  #child: Deno.ChildProcess;
  #input: WritableStreamDefaultWriter<Uint8Array>;
  #ended: Promise<number>;

  constructor(configuration: string, args: readonly string[]) {
    this.#child = new Deno.Command(Deno.execPath(), {
      args: [...postern, "role", ...args, "-c", configuration],
      cwd: root,
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#input = this.#child.stdin.getWriter();
    const collect = async (stream: ReadableStream<Uint8Array>) => {
      for await (const text of stream.pipeThrough(new TextDecoderStream())) this.output += text;
    };
    const collected = Promise.all([collect(this.#child.stdout), collect(this.#child.stderr)]);
    this.#ended = this.#child.status.then(({ code }) => collected.then(() => code));
  }

  async says(text: string): Promise<void> {
    for (const end = Date.now() + 20_000; !this.output.includes(text);) {
      if (Date.now() > end) throw new Error(`it does not say "${text}":\n${this.output}`);
      await pause(25);
    }
  }

  type(line: string): Promise<void> {
    return this.#input.write(new TextEncoder().encode(`${line}\n`));
  }

  ended(): Promise<number> {
    return this.#ended;
  }

  interrupt(): Promise<number> {
    this.#child.kill("SIGINT");
    return this.#ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#input.close().catch(() => {});
    try {
      this.#child.kill("SIGTERM");
    } catch {
      // It has ended.
    }
    await this.#ended;
  }
}

/** Runs it to its end: for what is refused, or only printed. */
async function refused(system: System, ...args: string[]): Promise<string> {
  await using command = new RoleCommand(system.configuration, args);
  assert(await command.ended() !== 0, command.output);
  return command.output;
}

Deno.test("role smtpd --stub takes a message and shows what it would send to cleanup", async () => {
  await using system = await System.prepare();
  const port = await freePort();
  await using command = new RoleCommand(system.configuration, [
    "smtpd",
    "--stub",
    `--listen=127.0.0.1:${port}`,
  ]);
  await command.says("Ctrl-C");
  using client = await SmtpClient.connect(port);
  await client.command("EHLO client.test");
  await client.message("s@src.test", ["someone@sink.test"], "Subject: to a stub\n\n\x1b[31mhello");
  await command.says("stub of cleanup: answers { queued: true");
  assertStringIncludes(command.output, 'sender: "s@src.test"');
  assertStringIncludes(command.output, "    | Subject: to a stub\n    | \n    | ?[31mhello\n");
  await command.says("]: connect from localhost[127.0.0.1]\n");
  assertEquals(await command.interrupt(), 0);
});

Deno.test("role qmgr --stub keeps a queue of its own, and removes it", async () => {
  await using system = await System.prepare();
  await using command = new RoleCommand(system.configuration, ["qmgr", "--stub"]);
  await command.says("Ctrl-C");
  const directory = /\/tmp\/postern-role-\w+/.exec(command.output)![0];
  await command.type("enqueue");
  await command.says(": removed\n");
  assertStringIncludes(command.output, 'text: "delivered to a stub"');
  assertEquals(await command.interrupt(), 0);
  await assertRejects(() => Deno.stat(directory), Deno.errors.NotFound);
});

Deno.test("role smtp --stub delivers to another role's port, which is allowed for this run", async () => {
  await using system = await System.prepare();
  const port = await freePort();
  await using server = new RoleCommand(system.configuration, [
    "smtpd",
    "--stub",
    `--listen=127.0.0.1:${port}`,
  ]);
  const args = ["smtp", "--stub", `--nexthop=[127.0.0.1]:${port}`];
  await using command = new RoleCommand(system.configuration, args);
  await Promise.all([server.says("Ctrl-C"), command.says("Ctrl-C")]);
  assertStringIncludes(command.output, `any address:${port}`);
  await command.type("deliver");
  await command.says('status: "sent"');
  await server.says("    | Subject: a message from postern role\n");
  await using print = new RoleCommand(system.configuration, [...args, "--print"]);
  assertEquals(await print.ended(), 0, print.output);
  assertStringIncludes(print.output, `0.0.0.0/0:${port},`);
});

Deno.test("role bounce --stub writes the report that it is asked for", async () => {
  await using system = await System.prepare();
  await using command = new RoleCommand(system.configuration, ["bounce", "--stub"]);
  await command.says("Ctrl-C");
  await command.type("report");
  await command.says("    | Action: failed\n    | Status: 5.1.1\n");
  await command.type('report {"kind":"delay"}');
  await command.says("    | Action: delayed\n    | Status: 4.4.1\n");
  await command.type("report []");
  await command.says("must be a JSON object");
});

Deno.test("role showq --stub has messages to list, and role pickup --stub one to take", async () => {
  await using system = await System.prepare();
  await using showq = new RoleCommand(system.configuration, ["showq", "--stub"]);
  await using pickup = new RoleCommand(system.configuration, ["pickup", "--stub"]);
  await showq.says("Ctrl-C");
  await showq.type("list");
  for (const queue of ["active", "deferred", "hold"]) {
    await showq.says(`    | {"queue_name":"${queue}","queue_id":`);
  }
  await pickup.says("--- stub of cleanup: answers { queued: true");
  assertStringIncludes(pickup.output, 'fullName: "A Person"');
  const directory = /\/tmp\/postern-role-\w+/.exec(showq.output)![0];
  assertEquals(await showq.interrupt(), 0);
  await assertRejects(() => Deno.stat(directory), Deno.errors.NotFound);
});

Deno.test("role smtpd beside the running system takes mail on another port", async () => {
  await using system = await System.start();
  await using command = new RoleCommand(system.configuration, ["smtpd"]);
  await command.says("Ctrl-C");
  const port = Number(/telnet 127\.0\.0\.1 (\d+)/.exec(command.output)![1]);
  assert(port !== system.port);
  using client = await SmtpClient.connect(port);
  await client.command("EHLO client.test");
  await client.message("s@src.test", ["u1@box.test"], "Subject: beside\n\nhello");
  await system.until(() => system.maildir("u1").length === 1);
  assertEquals(await command.interrupt(), 0);
});

Deno.test("role rewrite beside the running system answers what a person types", async () => {
  await using system = await System.start();
  await using command = new RoleCommand(system.configuration, ["rewrite"]);
  await command.says("Ctrl-C");
  await command.type('resolve {"address":"u1@box.test"}');
  await command.says('class: "virtual"');
  await command.type("resolve {");
  await command.says("must be a JSON object");
  assertEquals(await command.interrupt(), 0);
});

Deno.test("role refuses what would do harm or nothing, and says what to do", async () => {
  await using system = await System.prepare();
  assertStringIncludes(await refused(system, "smtdp"), "did you mean smtpd");
  assertStringIncludes(await refused(system, "smtpd"), "or add --stub");
  assertStringIncludes(await refused(system, "showq"), "there is no queue in");
  assertStringIncludes(await refused(system, "supervisor"), "starts the others");
  assertStringIncludes(await refused(system, "rewrite", "--nexthop=x"), "delivers to no server");
  await system.start();
  assertStringIncludes(await refused(system, "qmgr"), "do everything twice");
  assertStringIncludes(
    await refused(system, "smtpd", "--stub"),
    "address already in use: is another mail system running?; choose another with --listen=",
  );
});

Deno.test("role --print shows a command line that a shell can run", async () => {
  await using system = await System.prepare({ main: "sandbox = auto" });
  await using command = new RoleCommand(system.configuration, ["cleanup", "--print"]);
  assertEquals(await command.ended(), 0, command.output);
  const line = command.output.split("\n")[0]!;
  assertStringIncludes(line, "--allow-net=unix:");
  // Without bubblewrap, the user that root gives a role may not reach the source.
  if (Deno.uid() === 0 && !line.includes("/bwrap ")) return;
  const shell = await new Deno.Command("sh", { args: ["-c", line], stdin: "null" }).output();
  assertStringIncludes(new TextDecoder().decode(shell.stderr), "cleanup waits for a supervisor");
  assertEquals(shell.code, 64);
});
