/** `role`: one role alone, in the foreground, for whoever looks for a fault in it; without a name, the list of roles. */

import { parseArgs } from "@std/cli";
import { isThere } from "../../policies/bwrap.ts";
import { answersOf, type Host } from "../../policies/grant.ts";
import type { Row } from "../../policies/mod.ts";
import type { Configuration } from "../../shared/config/configuration.ts";
import { ConfigError, EX, reason } from "../../shared/errors.ts";
import { client } from "../../shared/ipc/client.ts";
import { probe } from "../../shared/ipc/probe.ts";
import { databaseDirectory, processOfLog, socketPath } from "../../shared/layout.ts";
import { valueOf } from "../../shared/parameters/declare.ts";
import { supervisorParameters } from "../../shared/parameters/supervisor.ts";
import { controlService } from "../../shared/protocols/control.ts";
import { databaseFile } from "../../shared/queue/sqlite_schema.ts";
import { type Alone, grantAlone, printed, runAlone } from "../supervisor/alone.ts";
import { readHost } from "../supervisor/host.ts";
import type { Layers } from "../supervisor/launch.ts";
import { prepare } from "../supervisor/prepare.ts";
import { endpoints, type Wanted } from "../supervisor/plans.ts";
import { chooseLayers, describeLayers } from "../supervisor/runtime.ts";
import { settingsOf } from "../supervisor/settings.ts";
import { type CommandIo, loadForCommand, refuseBroken, takeConfigDirectory } from "./io.ts";
import {
  calledBy,
  clash,
  findWanted,
  nexthopOf,
  portsFor,
  roleList,
  withListener,
} from "./role_plan.ts";
import { makeScene, type Scene } from "./role_scene.ts";
import { startStubs } from "./role_stubs.ts";
import { Talk } from "./role_talk.ts";

const USAGE =
  "usage: postern role [NAME [-c DIR] [--stub] [--listen=HOST:PORT] [--nexthop=[HOST]:PORT] " +
  "[--inspect[=HOST:PORT]] [--print]]\n";
const INSPECT = "127.0.0.1:9229";

interface Options {
  readonly stub: boolean;
  readonly print: boolean;
  readonly listen: string | undefined;
  readonly nexthop: string | undefined;
  readonly inspect: string | undefined;
}

/** Runs one role until Ctrl-C, against the running system or against stubs. */
export async function role(given: string[], io: CommandIo): Promise<number> {
  const { args, directory } = takeConfigDirectory(given, io);
  const unknown: string[] = [];
  // Without a value it must not take the next word for one.
  const words = args.map((arg) => (arg === "--inspect" ? `--inspect=${INSPECT}` : arg));
  const parsed = parseArgs(words, {
    boolean: ["stub", "print"],
    string: ["listen", "nexthop", "inspect"],
    unknown: (arg) => !arg.startsWith("-") || (unknown.push(arg), false),
  });
  const names = parsed._.map(String);
  if (unknown.length || names.length > 1) {
    io.err(`${unknown.length ? `role: no such option: ${unknown[0]}\n` : ""}${USAGE}`);
    return EX.USAGE;
  }
  if (!names.length) {
    io.out(roleList());
    return EX.OK;
  }
  const configuration = loadForCommand(io, directory);
  const broken = refuseBroken("role", configuration, io);
  if (broken) return broken;
  const options = {
    stub: parsed["stub"],
    print: parsed["print"],
    listen: parsed["listen"],
    nexthop: parsed["nexthop"],
    inspect: parsed["inspect"],
  };
  try {
    return await start(findWanted(names[0]!, configuration), configuration, options, io);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    io.err(`role: ${error.message}\n`);
    return EX.UNAVAILABLE;
  }
}

/** When nobody reads what it shows any more, a role ends as after Ctrl-C, and leaves nothing behind. */
function whileRead(io: CommandIo): CommandIo {
  return {
    ...io,
    out(text) {
      try {
        io.out(text);
      } catch (error) {
        if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
        Deno.kill(Deno.pid, "SIGTERM");
      }
    },
  };
}

async function start(
  wanted: Wanted,
  loaded: Configuration,
  options: Options,
  io: CommandIo,
): Promise<number> {
  const { inspect, listen, stub } = options;
  const host = readHost(loaded.value("mail_owner"));
  const nexthop = nexthopOf(wanted, options);
  const given = loaded.with(portsFor(nexthop, loaded));
  const layers = await layersFor(wanted, given, host, options, io);
  if (options.print) {
    io.out(printed({ configuration: given, wanted, host, layers, directory: "", inspect }));
    io.out(
      `# Without the control channel that "postern role" gives it, a role says so and ends.\n`,
    );
    if (stub) {
      io.out("# With --stub, its sockets and files are in a directory made at its start.\n");
    }
    return EX.OK;
  }
  const control = socketPath(given.value("queue_directory"), "control");
  const running = !stub && await answers(control, given.value("queue_directory"));
  const called = calledBy(wanted.row, given);
  mustBePossible(wanted, given, { stub, running }, called);
  const listening = withListener(wanted, given, listen, running);

  await using temporary = new AsyncDisposableStack();
  const directory = Deno.makeTempDirSync({ prefix: "postern-role-" });
  temporary.defer(() => Deno.removeSync(directory, { recursive: true }));
  Deno.chmodSync(directory, 0o755);
  const configuration = given.with(changes(wanted.row, stub, directory));
  const alone: Alone = { configuration, wanted: listening, host, layers, directory, inspect };
  const screen = whileRead(io);
  let scene: Scene | undefined;
  if (stub) {
    prepare(configuration, host);
    const owner = grantAlone(alone).user ?? { uid: Deno.uid()!, gid: Deno.gid()! };
    temporary.defer(await startStubs(directory, called, host, owner, (text) => screen.out(text)));
    scene = await makeScene(wanted.row, directory);
    temporary.defer(() => scene?.end());
  }
  const shown = { ...options, nexthop, scene: scene?.text, called };
  return await runAlone(alone, {
    ready: () => screen.out(welcome(alone, shown, screen)),
    want: (service) => running && want(control, service, io),
  });
}

/** True when a system answers on its control socket; throws ConfigError when it is somebody else's. */
async function answers(control: string, queue: string): Promise<boolean> {
  const state = await probe(control);
  if (state !== "denied") return state === "up";
  throw new ConfigError(
    `queue_directory: ${queue} belongs to another user: run this as that user, or add --stub`,
  );
}

/** Throws ConfigError when the role alone could do nothing, or would do harm. */
function mustBePossible(
  wanted: Wanted,
  configuration: Configuration,
  { stub, running }: { stub: boolean; running: boolean },
  called: readonly string[],
): void {
  const { role } = wanted.row;
  const queue = configuration.value("queue_directory");
  const why = running ? clash(wanted, configuration) : undefined;
  if (why) {
    throw new ConfigError(
      `${why}: stop it, or try ${role} with --stub, which has a queue of its own`,
    );
  }
  if (stub || running) return;
  const database = databaseFile(databaseDirectory(queue));
  if (wanted.row.reads?.includes("listing") && !isThere(database)) {
    throw new ConfigError(
      `there is no queue in ${queue}: start the system (deno task serve), or add --stub`,
    );
  }
  if (called.length === 0) return;
  throw new ConfigError(
    `${role} calls ${called.join(", ")}, and no mail system runs on ${queue}: ` +
      `start it (deno task serve), or add --stub`,
  );
}

/** What is different for a role alone: its log is on the terminal, and with stubs nothing of the system is touched. */
function changes(row: Row, stub: boolean, directory: string): Record<string, string> {
  const log: Record<string, string> = row.answers.includes("log") && !stub
    ? {}
    : { maillog_file: "", syslog_socket: "" };
  return stub
    ? { ...log, queue_directory: directory, virtual_mailbox_base: `${directory}/mail` }
    : log;
}

/** A debugger cannot reach a role that has no network: for that run Deno's permissions alone confine it. */
async function layersFor(
  { row }: Wanted,
  configuration: Configuration,
  host: Host,
  { inspect }: Options,
  io: CommandIo,
): Promise<Layers> {
  const layers = await chooseLayers(valueOf(supervisorParameters.sandbox, configuration), host);
  if (inspect === undefined) return layers;
  if (Deno.build.standalone) {
    throw new ConfigError(
      "--inspect: a compiled binary has no debugger: use a clone of the source",
    );
  }
  if (!layers.bwrap || row.network) return layers;
  io.err(
    "role: --inspect: no debugger reaches bubblewrap's empty network: sandbox=deno for this run\n",
  );
  return { ...layers, bwrap: undefined };
}

/** Asks the running system for a service that is started on request. */
function want(control: string, service: string, io: CommandIo): void {
  const system = client(controlService, { path: control });
  system.call("want", { service })
    .catch((error) => io.err(`role: cannot ask for ${service}: ${reason(error)}\n`))
    .finally(() => system.close());
}

/** What is there beside the role. */
interface Around extends Options {
  /** The services that it calls. */
  readonly called: readonly string[];
  /** What was put into its queue. */
  readonly scene: string | undefined;
}

/** What a person sees when the role is up; from then on lines typed are calls to it. */
function welcome(alone: Alone, around: Around, io: CommandIo): string {
  const { row } = alone.wanted;
  const { hosts, writes } = grantAlone(alone);
  const queue = alone.configuration.value("queue_directory"), called = around.called.join(", ");
  const lines: [string, string | false | undefined][] = [
    ["confinement", describeLayers(alone.layers, alone.host)],
    ["network", reachable(hosts)],
    ["stubs", around.stub && called && `${called}: print what they are sent`],
    ["calls", !around.stub && called && `${called} of the system on ${queue}`],
    ["files", around.stub && (writes.length > 0 || around.scene) && `in ${queue}, until it ends`],
    ["mail", around.scene],
    ["debugger", around.inspect && `${around.inspect}: chrome://inspect, or your editor`],
    ["delivers to", around.nexthop && serverAt(around.nexthop)],
    ...howToTalk(alone, around, io).map((text): [string, string] => ["talk to it", text]),
    ["stop", "Ctrl-C"],
  ];
  return `${row.role}: ${row.because}\n` +
    lines.map(([name, text]) => text ? `  ${`${name}:`.padEnd(14)}${text}\n` : "").join("");
}

/** Hosts and ports for people; port 0 is one of its own, for answers. */
function reachable(hosts: readonly string[]): string {
  return hosts.filter((host) => !host.endsWith(":0"))
    .map((host) => host.replace(/^0\.0\.0\.0\/0:/, "any address:")).join(", ");
}

/** Who may answer there. */
function serverAt(nexthop: string): string {
  const [, port] = /^\[127\.0\.0\.1\]:([0-9]+)$/.exec(nexthop) ?? [];
  return port
    ? `${nexthop}: start a server there, such as deno task role smtpd --stub --listen=127.0.0.1:${port}`
    : nexthop;
}

function howToTalk(alone: Alone, { nexthop }: Around, io: CommandIo): string[] {
  const { wanted, configuration, directory } = alone;
  const inet = endpoints(wanted, settingsOf(configuration)).map(({ address, port }) =>
    `telnet ${address} ${port}   (or: swaks --server ${address}:${port} --to someone@example.com)`
  );
  const services = answersOf(wanted.row, wanted.service, settingsOf(configuration))
    .filter((name) => processOfLog(name) === undefined);
  if (!services.length) return inet;
  const pathOf = (name: string) => socketPath(directory, name);
  const talk = new Talk(services, pathOf, (text) => io.out(text), nexthop);
  if (io.input) talk.listen(io.input).catch((error) => io.err(`role: input: ${reason(error)}\n`));
  return [...inet, talk.hint];
}
