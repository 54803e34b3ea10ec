/** Postern's one program: the first argument, or the name it was called by, says which command it is. */

import process from "node:process";
import { basename } from "@std/path";
import { reason } from "./shared/errors.ts";
import { type Taker, writeAll } from "./shared/write_all.ts";
import type { CommandIo } from "./roles/commands/io.ts";

type Command = (args: string[], io: CommandIo) => Promise<number>;

/** Every command; its module is loaded when it is asked for. */
const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  serve: async () => (await import("./roles/commands/serve.ts")).serve,
  start: async () => (await import("./roles/commands/start.ts")).start,
  status: async () => (await import("./roles/commands/control.ts")).status,
  reload: async () => (await import("./roles/commands/control.ts")).reload,
  stop: async () => (await import("./roles/commands/control.ts")).stop,
  check: async () => (await import("./roles/commands/check.ts")).check,
  role: async () => (await import("./roles/commands/role.ts")).role,
  compile: async () => (await import("./roles/commands/compile.ts")).compile,
  policy: async () => (await import("./roles/commands/policy.ts")).policy,
  postconf: async () => (await import("./roles/commands/postconf.ts")).postconf,
  postmap: async () => (await import("./roles/commands/postmap.ts")).postmap,
  postalias: async () => (await import("./roles/commands/postmap.ts")).postalias,
  sendmail: async () => (await import("./roles/commands/sendmail.ts")).sendmail,
  newaliases: async () => (await import("./roles/commands/newaliases.ts")).newaliases,
  mailq: async () => (await import("./roles/commands/mailq.ts")).mailq,
  flush: async () => (await import("./roles/commands/flush.ts")).flush,
  postqueue: async () => (await import("./roles/commands/postqueue.ts")).postqueue,
  postsuper: async () => (await import("./roles/commands/postsuper.ts")).postsuper,
  postcat: async () => (await import("./roles/commands/postcat.ts")).postcat,
  postlog: async () => (await import("./roles/commands/postlog.ts")).postlog,
};

/** What the supervisor of a compiled program starts: this program as one of the roles, for as long as its channel is open. */
const CONFINE = "confine";

const encoder = new TextEncoder();

function write(to: Taker, text: string): void {
  writeAll(to, encoder.encode(text));
}

/** `-c DIR` may stand before the command's name. */
function split(args: string[]): { name: string; rest: string[]; directory: string | undefined } {
  // A link to the compiled program: execPath() would be what it points to.
  const called = basename(process.argv0);
  if (Object.hasOwn(COMMANDS, called)) return { name: called, rest: args, directory: undefined };
  if (args[0] === "-c") return { name: args[2] ?? "", rest: args.slice(3), directory: args[1] };
  return { name: args[0] ?? "", rest: args.slice(1), directory: undefined };
}

async function main(): Promise<number> {
  const { name, rest, directory } = split(Deno.args);
  if (name === CONFINE) {
    const { confine } = await import("./shared/role/confine.ts");
    return confine(rest[0] ?? "", rest[1] ?? "{}");
  }
  const load = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (!load) {
    write(
      Deno.stderr,
      `usage: postern [-c DIR] COMMAND ...\ncommands: ${Object.keys(COMMANDS).join(" ")}\n`,
    );
    return 64;
  }
  const command = await load();
  return await command(rest, {
    out: (text) => write(Deno.stdout, text),
    outBytes: (bytes) => writeAll(Deno.stdout, bytes),
    err: (text) => write(Deno.stderr, text),
    env: (variable) => Deno.env.get(variable),
    input: Deno.stdin.readable,
    ...(directory === undefined ? {} : { configDirectory: directory }),
  });
}

try {
  Deno.exit(await main());
} catch (error) {
  // Whoever reads our output has seen enough: `postconf | head`.
  if (error instanceof Deno.errors.BrokenPipe) Deno.exit(0);
  const config = error instanceof Error && error.name === "ConfigError";
  write(
    Deno.stderr,
    `postern: fatal: ${config ? reason(error) : (error as Error).stack ?? reason(error)}\n`,
  );
  Deno.exit(config ? 78 : 70);
}
