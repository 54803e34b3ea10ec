/** A configuration that cannot be used: at the start, and at a reload. */

import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { SmtpClient } from "../support/smtp.ts";
import { pause } from "../support/waiting.ts";
import { freePort, killNow, postern, root, System } from "../support/system.ts";

/** A process may be ready before it is killed; then it is tried again. */
const MAX_ATTEMPTS = 10;

/** What `serve` says, and its exit code; it must end by itself. */
async function serve(system: System): Promise<{ code: number; said: string[] }> {
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [...postern, "serve", "-c", system.configuration],
    cwd: root,
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).output();
  const lines = new TextDecoder().decode(stderr).split("\n");
  return { code, said: lines.filter((line) => line && !line.startsWith("serve: warning: ")) };
}

for (
  const [main, expected] of [
    ["mynetworks = 300.1.1.1/8", /^serve: fatal: \S+\/main\.cf, line [0-9]+: mynetworks: /],
    [
      "smtpd_relay_restrictions = permit_mynetworks",
      /^serve: fatal: \S+\/main\.cf, line [0-9]+: smtpd_relay_restrictions: .* at least one working /,
    ],
    ["queue_directory = q", /^serve: fatal: \S+\/main\.cf, line [0-9]+: queue_directory: /],
    [
      "queue_directory = /proc/nowhere",
      /^serve: fatal: \S+\/main\.cf, line [0-9]+: queue_directory: is where Deno lets no program write/,
    ],
    [
      "process_id_directory = /proc/nowhere",
      /^serve: fatal: \S+\/main\.cf, line [0-9]+: process_id_directory: is where Deno lets no /,
    ],
    ["inet_protocols = ipv9", /^serve: fatal: \S+\/main\.cf, line [0-9]+: inet_protocols: /],
  ] as const
) {
  Deno.test(`serve ends with 78 and one line for ${main}`, async () => {
    await using system = await System.prepare({ main });
    const { code, said } = await serve(system);
    assertEquals(said.length, 1, said.join("\n"));
    assertMatch(said[0]!, expected);
    assertEquals(code, 78);
  });
}

/** The greeting of a new session. */
async function greeting(system: System): Promise<string> {
  using client = new SmtpClient(system.port);
  return (await client.reply()).text;
}

/** Reloads, and kills each new process of a role before it is ready; what the command said, or undefined if one was faster. */
async function reloadKilling(system: System, role: string): Promise<string | undefined> {
  const old = new Set(system.processes(role));
  let ended = false;
  const reload = system.command(["reload"]).then(() => undefined, (error) => String(error.message))
    .finally(() => ended = true);
  while (!ended) {
    for (const pid of system.processes(role)) if (!old.has(pid)) killNow(pid);
    await pause(1);
  }
  return await reload;
}

Deno.test("a reload", async (t) => {
  await using system = await System.start();

  await t.step("that any parameter forbids changes nothing", async () => {
    const before = await greeting(system);
    const banner = "smtpd_banner = $myhostname ESMTP other";
    await system.configure({ main: `${banner}\nmynetworks = 300.1.1.1/8` });
    await assertRejects(() => system.command(["reload"]), Error, "mynetworks: must be a network");
    assertEquals(await greeting(system), before);

    // The first of two new services could have its port.
    using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const free = await freePort();
    const service = (port: number) => `127.0.0.1:${port} inet n - n - - smtpd\n`;
    await system.configure({
      main: banner,
      master: service(free) + service((taken.addr as Deno.NetAddr).port),
    });
    await assertRejects(() => system.command(["reload"]), Error, "address already in use");
    assertEquals(await greeting(system), before);
    await assertRejects(() => Deno.connect({ port: free }), Deno.errors.ConnectionRefused);

    await system.configure({ main: banner });
    await system.command(["reload"]);
    assertMatch(await greeting(system), /^220 mx\.postern\.test ESMTP other/);
  });

  await t.step("does not pretend to change what is chosen at the start", async () => {
    const cannot = "cannot change while the system runs: stop and start it";
    const sandbox = (await system.command(["postconf", "-h", "sandbox"])).trim();
    const other = sandbox === "deno" ? "auto" : "deno";
    for (
      const [name, value] of [
        ["process_id_directory", `${system.directory}/pids`],
        ["sandbox", other],
        ...(Deno.uid() === 0 ? [["mail_owner", "daemon"]] : []),
      ]
    ) {
      await system.configure({ main: `${name} = ${value}` });
      await assertRejects(() => system.command(["reload"]), Error, `${name}: ${cannot}`);
    }
    await system.configure({ main: `sandbox = ${sandbox.toUpperCase()}` });
    await system.command(["reload"]);
  });

  await t.step("logs each warning of the configuration, and why it fails", async () => {
    await system.configure({ main: "no_such = 1\nalternate_config_directories = /etc" });
    await system.command(["reload"]);
    await system.untilSaid(/postfix\/master\[\d+\]: warning: \S+\/main\.cf, line \d+: no_such: /);
    await system.untilSaid(
      /postfix\/master\[\d+\]: warning: \S+\/main\.cf, line \d+: alternate_config_directories: /,
    );
    await system.untilSaid(/postfix\/master\[\d+\]: reload -- version \S+, configuration \S+\n/);

    await system.configure({ main: "mynetworks = 300.1.1.1/8\u0007" });
    const expected = 'mynetworks: must be a network or address: is "300.1.1.1/8?"';
    await assertRejects(() => system.command(["reload"]), Error, expected);
    await system.untilSaid(
      /master\[\d+\]: warning: reload: \S+\/main\.cf, line \d+: mynetworks: must be a network/,
    );
  });

  await t.step("in which one process does not start is taken back", async () => {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const before = await greeting(system);
      await system.configure({ main: `smtpd_banner = $myhostname ESMTP ${attempt}` });
      // smtpd has its new plan by then.
      const error = await reloadKilling(system, "cleanup");
      if (error === undefined) continue;
      assertMatch(error, /cleanup: .*: the former configuration stays in force/);
      assertEquals(await greeting(system), before);
      return;
    }
    throw new Error("every process was ready before it was killed");
  });

  await t.step("has every role write its log in the new format, the supervisor too", async () => {
    await system.configure({ main: "maillog_format = json" });
    await system.command(["reload"]);
    const from = system.output.length;
    await system.send("u1@box.test");
    await system.until(() => /status=sent/.test(system.output.slice(from)));
    await system.stop();
    const lines = system.output.slice(from).split("\n").filter((line) =>
      /status=|terminating/.test(line)
    );
    assertEquals(lines.map((line) => JSON.parse(line).process), [
      "postfix/virtual",
      "postfix/master",
    ]);
  });
});

Deno.test("mynetworks is read from its files at the start and at a reload", async () => {
  await using system = await System.prepare();
  const file = `${system.directory}/networks`;
  await Deno.writeTextFile(file, "192.0.2.0/24 ours\n");
  await system.configure({ main: `mynetworks = !192.0.2.1 cidr:${file}` });
  await system.start();
  const relay = async () => {
    using client = await system.client();
    await client.command("MAIL FROM:<s@src.test>");
    return (await client.command("RCPT TO:<u@elsewhere.test>")).code;
  };
  assertEquals(await relay(), 454);
  await Deno.writeTextFile(file, "192.0.2.0/24 ours\n# this host\n127.0.0.0/8 ours\n");
  await system.command(["reload"]);
  assertEquals(await relay(), 250);
});
