/** `postern policy --verify` beside a running system, and where something is not refused. */

import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { policies } from "../../policies/mod.ts";
import { chooseLayers } from "../../roles/supervisor/runtime.ts";
import { readHost } from "../../roles/supervisor/host.ts";
import { System } from "../support/system.ts";

const host = readHost("nobody");
const { bwrap } = await chooseLayers("auto", host);
/** Each a role of another kind: one that calls only, one that reads, one that writes. */
const ROLES = ["smtpd", "rewrite", "virtual"];

Deno.test({
  name: "policy --verify sees every refusal hold beside a running system, and harms nothing of it",
  ignore: !bwrap && !host.root,
  fn: async () => {
    await using system = await System.start();
    const out = await system.command(["policy", "--verify", ...ROLES]);
    assertEquals(out.includes("ALLOWED") || out.includes("FAILS"), false, out);
    assertStringIncludes(out, "every refusal held, and what is granted works");
    await system.send("u1@box.test");
    await system.until(() => system.maildir("u1").length === 1);
    const left = [...Deno.readDirSync(`${system.queue}/private`)].map(({ name }) => name);
    assertEquals(left.filter((name) => name.startsWith(".")), []);
  },
});

Deno.test("policy --verify tries every row of a worker, and says what it leaves out and why", async () => {
  await using system = await System.prepare({
    main: "sandbox = worker\nvirtual_alias_maps = hash:/nonexistent/aliases",
  });
  const { stdout } = await system.spawn(["policy", "--verify"]).output();
  const out = new TextDecoder().decode(stdout);
  assertEquals(out.includes("FAILS"), false, out);
  const tried = out.split("\n").find((line) => line.trimStart().startsWith("smtpd "))!;
  const left = policies.map(({ role }) => role).filter((role) => !tried.split(/ +/).includes(role));
  assertEquals(left, ["postlogd"], out);
  assertStringIncludes(
    out,
    "\nnot tried: postlogd is not started by this configuration: without maillog_file and " +
      "syslog_socket there is no log to write\n",
  );
  const absent = "rewrite may read /nonexistent/aliases, which is not there\n";
  assertStringIncludes(out, `\nnot tried: ${absent}`);
});

for (
  const [role, why] of [
    ["supervisor", "supervisor may do what its user may: there is nothing to try"],
    ["postlogd", "postlogd is not started by this configuration"],
    ["nosuch", "no such role: nosuch"],
  ] as const
) {
  Deno.test(`policy --verify ${role} says why it tries nothing`, async () => {
    await using system = await System.prepare();
    const tried = () => system.command(["policy", "--verify", role]);
    assertStringIncludes((await assertRejects(tried, Error, "exit 64")).message, `policy: ${why}`);
  });
}

Deno.test("policy --verify fails where a role could take over a socket, and says which", async () => {
  // Mailboxes of several owners: started as root, virtual may pass by the owners of directories.
  await using system = await System.prepare({
    main: "sandbox = deno\nvirtual_uid_maps = inline:{ u1@box.test=65534 }",
  });
  const { code, stdout } = await system.spawn(["policy", "--verify", "virtual"]).output();
  const out = new TextDecoder().decode(stdout);
  assertEquals(code, 77, out);
  assertStringIncludes(out, "virtual: take over a socket: ALLOWED: remove ");
  // Root's virtual may also give files away.
  const set = "virtual: make a set-id file: ALLOWED: setId ";
  assertEquals(out.includes(set), Deno.uid() === 0);
  assertStringIncludes(out, `${Deno.uid() === 0 ? 2 : 1} must not be so`);
});
