/** The whole mail system, started in a temporary directory on a free port. */

import { join } from "@std/path";
import { createServer } from "node:net";
import { askShowq } from "../../roles/commands/queue_access.ts";
import { jsonLines } from "../../roles/commands/queue_listing.ts";
import { READY } from "../../roles/supervisor/main.ts";
import { SmtpClient } from "./smtp.ts";

export const root = join(import.meta.dirname!, "..", "..");

/** How deno.json's task of this name runs a command, without the shell between. */
export const postern: readonly string[] = JSON.parse(
  await Deno.readTextFile(join(root, "deno.json")),
)
  .tasks.postern.command.split(" ").slice(1);

/** Generous: only a test that fails, or a machine that does much else, waits so long. */
const START_MS = 60_000;
const WITHIN_MS = 60_000;
const STOP_MS = 15_000;
/** With no configuration the system runs as nobody; so do its mailboxes here. */
const NOBODY = 65534;

/** The value of `sandbox` that every system is started with: run any of these tests with POSTERN_SANDBOX=worker. */
const sandbox = Deno.env.get("POSTERN_SANDBOX") ?? "auto";

/** What tests may say about the system. */
export interface Options {
  /** More main.cf lines, after those that every test has. */
  readonly main?: string;
  /** More master.cf lines. */
  readonly master?: string;
  /** Services that are not started: each costs a third of a second. */
  readonly without?: readonly string[];
  /** Where the domain sink.test is delivered: `smtp:[127.0.0.1]:PORT` and the like. */
  readonly sink?: string;
}

export interface Place {
  /** Where the queue is; in the system's own directory otherwise. */
  readonly queue?: string;
}

export class System implements AsyncDisposable {
  readonly mail: string;
  readonly configuration: string;
  /** Everything that it printed: also the log, where no maillog_file is set. */
  output = "";
  #child: Deno.ChildProcess | undefined;
  #status: Promise<number> = Promise.resolve(-1);

  private constructor(
    readonly directory: string,
    readonly port: number,
    readonly queue = `${directory}/queue`,
  ) {
    this.mail = `${directory}/mail`;
    this.configuration = `${directory}/conf`;
  }

  /** Starts it and waits until it is ready. */
  static async start(options: Options = {}): Promise<System> {
    const system = await System.prepare(options);
    await system.start();
    return system;
  }

  /** Writes its configuration without starting it. */
  static async prepare(options: Options & Place = {}): Promise<System> {
    const directory = await Deno.makeTempDir({ prefix: "postern-" });
    const system = new System(directory, await freePort(), options.queue);
    // Roles run as another user, and must reach what is theirs.
    await Deno.chmod(directory, 0o755);
    for (const each of [system.mail, system.configuration]) await Deno.mkdir(each);
    if (Deno.uid() === 0) await Deno.chown(system.mail, NOBODY, NOBODY);
    await system.configure(options);
    return system;
  }

  /** Makes `log/` for postlogd to write to. */
  async logDirectory(): Promise<void> {
    const path = `${this.directory}/log`;
    await Deno.mkdir(path);
    if (Deno.uid() === 0) await Deno.chown(path, NOBODY, NOBODY);
  }

  /** Writes main.cf and master.cf. */
  async configure({ main = "", master = "", without = [], sink }: Options): Promise<void> {
    const whole = await Deno.readTextFile(join(root, "config", "master.cf"));
    const shipped = whole.split("\n").filter((line) => !without.includes(line.split(/\s/)[0]!))
      .join("\n");
    await Deno.writeTextFile(
      join(this.configuration, "master.cf"),
      `${shipped.replace("127.0.0.1:2525", `127.0.0.1:${this.port}`)}\n${master}\n`,
    );
    const lines = [
      `queue_directory = ${this.queue}`,
      "mail_owner = nobody",
      `sandbox = ${sandbox}`,
      "myhostname = mx.postern.test",
      "mydestination =",
      "mynetworks = 127.0.0.0/8",
      "inet_protocols = ipv4",
      "relay_domains = sink.test",
      // Clients of tests are strangers, whose headers stay as they are.
      "local_header_rewrite_clients =",
      `transport_maps = inline:{ {sink.test=${sink ?? "smtp:[127.0.0.1]:9"}} }`,
      "virtual_mailbox_domains = box.test",
      "virtual_mailbox_maps = inline:{ u1@box.test=u1/, u2@box.test=u2/ }",
      `virtual_mailbox_base = ${this.mail}`,
      `maillog_file_prefixes = ${this.directory}`,
      `virtual_uid_maps = static:${Deno.uid() || NOBODY}`,
      `virtual_gid_maps = static:${Deno.uid() ? Deno.gid() : NOBODY}`,
      main,
    ];
    await Deno.writeTextFile(join(this.configuration, "main.cf"), lines.join("\n") + "\n");
  }

  /** `environment` is added to ours. */
  async start(environment: Record<string, string> = {}): Promise<void> {
    const child = this.#child = new Deno.Command(Deno.execPath(), {
      args: [...postern, "serve", "-c", this.configuration],
      cwd: root,
      env: environment,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const from = this.output.length;
    let ended = false;
    const collect = async (stream: ReadableStream<Uint8Array>) => {
      for await (const text of stream.pipeThrough(new TextDecoderStream())) this.output += text;
    };
    const collected = Promise.all([collect(child.stdout), collect(child.stderr)]);
    this.#status = child.status.then(async ({ code }) => {
      await collected;
      ended = true;
      return code;
    });
    await this.until(() => {
      if (ended) throw new Error("it ended");
      return this.output.slice(from).split("\n").some((line) => line.startsWith(READY));
    }, START_MS);
  }

  /** Waits until something holds; an error shows what the system printed. */
  async until(what: () => boolean | Promise<boolean>, milliseconds = WITHIN_MS): Promise<void> {
    const end = Date.now() + milliseconds;
    try {
      while (!await what()) {
        if (Date.now() > end) throw new Error("not in time");
        await new Promise((resolve) => setTimeout(resolve, 25));
      }
    } catch (error) {
      throw new Error(`${(error as Error).message}: ${what}\n${this.output.slice(-4000)}`);
    }
  }

  /** A client that has said EHLO. */
  async client(): Promise<SmtpClient> {
    const client = await SmtpClient.connect(this.port);
    client.write("EHLO client.test\r\n");
    await client.expect(250);
    return client;
  }

  /** Sends one message; its queue id. */
  async send(to: string, content = "Subject: test\n\nhello", from = "s@src.test"): Promise<string> {
    using client = await this.client();
    const id = await client.message(from, [to], content);
    await client.quit();
    return id;
  }

  /** Contents of the messages in a user's Maildir. */
  maildir(user: string): string[] {
    const directory = join(this.mail, user, "new");
    try {
      return [...Deno.readDirSync(directory)].map(({ name }) =>
        Deno.readTextFileSync(join(directory, name))
      );
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return [];
      throw error;
    }
  }

  /** Runs one of the commands against this system; anything but exit 0 is an error. */
  async command(args: readonly string[], input = ""): Promise<string> {
    const child = new Deno.Command(Deno.execPath(), {
      args: [...postern, "-c", this.configuration, ...args],
      cwd: root,
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(input));
    await writer.close();
    const { code, stdout, stderr } = await child.output();
    const text = new TextDecoder();
    if (code !== 0) {
      throw new Error(
        `${args.join(" ")}: exit ${code}\n${text.decode(stdout)}${text.decode(stderr)}`,
      );
    }
    return text.decode(stdout);
  }

  /** Starts one of the commands, without input; its output is the caller's to read. */
  spawn(args: readonly string[]): Deno.ChildProcess {
    return new Deno.Command(Deno.execPath(), {
      args: [...postern, "-c", this.configuration, ...args],
      cwd: root,
      stdin: "null",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
  }

  /** The queue of the running system as `postqueue -j` lists it; without a process for each look. */
  async listing(): Promise<{ queue_id: string; queue_name: string; sender: string }[]> {
    let text = "";
    for await (const piece of jsonLines(askShowq(this.queue))) text += piece;
    return text.split("\n").filter(Boolean).map((line) => JSON.parse(line));
  }

  /** Kills every process of a role as the out-of-memory killer would; how many there were. */
  kill(role: string): number {
    const pids = this.processes(role);
    for (const pid of pids) killNow(pid);
    return pids.length;
  }

  /** Waits until the log, in which roles are heard a little later, has a line like this. */
  untilSaid(line: string | RegExp, milliseconds = WITHIN_MS): Promise<void> {
    const pattern = new RegExp(line);
    return this.until(() => pattern.test(this.output), milliseconds);
  }

  /** Waits until nothing is in the queue. */
  untilEmpty(milliseconds = WITHIN_MS): Promise<void> {
    return this.until(async () => (await this.listing()).length === 0, milliseconds);
  }

  /** Processes of a role of this system, the sandbox around them left out. */
  processes(role: string): number[] {
    const supervisor = this.#child?.pid;
    return [...Deno.readDirSync("/proc")].map(({ name }) => Number(name)).filter(Number.isInteger)
      .filter((pid) => {
        const [program, ...args] = commandLine(pid);
        return program?.endsWith("/deno") && args.some((arg) =>
          arg.endsWith(`roles/${role}/main.ts`)
        ) &&
          ancestors(pid).includes(supervisor);
      });
  }

  /** Every process that works for this system, the sandboxes included; also those that a dead supervisor left. */
  everyProcess(): number[] {
    return [...Deno.readDirSync("/proc")].map(({ name }) => Number(name)).filter((pid) =>
      Number.isInteger(pid) && pid !== Deno.pid &&
      commandLine(pid).some((arg) => arg.includes(this.directory))
    );
  }

  /** Kills the supervisor and every role in one instant, as a power cut would, and waits until all are gone. */
  async killEverything(): Promise<void> {
    const pids = this.everyProcess();
    this.#child = undefined;
    for (const pid of pids) killNow(pid);
    await this.#status;
    await this.until(() => this.everyProcess().length === 0);
  }

  /** Asks it to stop as a service manager would; its exit code. */
  async stop(signal: Deno.Signal = "SIGTERM"): Promise<number> {
    const child = this.#child;
    if (!child) return -1;
    this.#child = undefined;
    child.kill(signal);
    const timer = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
    return await this.#status.finally(() => clearTimeout(timer));
  }

  /** Kills the supervisor as a power cut would, and starts again. */
  async crash(): Promise<void> {
    await this.stop("SIGKILL");
    await this.start();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await Deno.remove(this.directory, { recursive: true });
  }
}

/** Kills a process, if it is still there. */
export function killNow(pid: number): void {
  try {
    Deno.kill(pid, "SIGKILL");
  } catch {
    // It was faster.
  }
}

function commandLine(pid: number): string[] {
  try {
    return Deno.readTextFileSync(`/proc/${pid}/cmdline`).split("\0");
  } catch {
    return [];
  }
}

/** The parent of a process, its parent, and so on. */
function ancestors(pid: number): (number | undefined)[] {
  const found = [];
  try {
    while (pid > 1) {
      // After the name in parentheses: state, then the parent.
      const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
      found.push(pid = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]));
    }
  } catch {
    // It ended.
  }
  return found;
}

/** Below the ports that the kernel gives out, one of which may be given to others before it is used. */
const PORTS = { from: 10_000, to: 32_000 };

/** A TCP port of 127.0.0.1 that nobody listens on. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = PORTS.from + Math.floor(Math.random() * (PORTS.to - PORTS.from));
    const server = createServer();
    const listens = await new Promise<boolean>((resolve) => {
      server.on("error", () => resolve(false));
      server.listen(port, "127.0.0.1", () => resolve(true));
    });
    await new Promise((resolve) => server.close(resolve));
    if (listens) return port;
  }
}
