/**
 * supervisor - start every role with its rights, keep them running, and end them.
 *
 * Reads the configuration, binds the listeners, starts each role under its
 * policy row, hands over parameters, sockets and keys, restarts what dies.
 *
 * Trusts   the configuration and the host; what roles say it checks.
 * Talks to every role by its control channel; answers control.
 * Keeps    the listening sockets and the pid file.
 * Fails    a bad configuration stops the start; a dying role is paused, the rest runs on.
 */

import { createServer } from "node:net";
import process from "node:process";
import { join } from "@std/path";
import { type Configuration } from "../../shared/config/configuration.ts";
import { inetName } from "../../shared/config/inet_name.ts";
import type { Problem } from "../../shared/config/problem.ts";
import { ConfigError, EX, reason } from "../../shared/errors.ts";
import { probe } from "../../shared/ipc/probe.ts";
import { answer } from "../../shared/ipc/server.ts";
import { logServiceOf, pidFile, socketPath } from "../../shared/layout.ts";
import { inForce } from "../../shared/log/lines.ts";
import { info, warning } from "../../shared/log/log.ts";
import { withoutControls } from "../../shared/log/printable.ts";
import { type Parameter, valueOf } from "../../shared/parameters/declare.ts";
import { supervisorParameters } from "../../shared/parameters/supervisor.ts";
import { controlService } from "../../shared/protocols/control.ts";
import { flushLog, installSink } from "../../shared/role/sink.ts";
import { SharedRun } from "../../shared/shared_run.ts";
import { clearSocket, protectSocket } from "./directories.ts";
import { isRoot, readHost } from "./host.ts";
import { alreadyRunning, takePidFile } from "./pid_file.ts";
import { logsToService } from "./plans.ts";
import { openServices, prepare } from "./prepare.ts";
import { chooseLayers, describeLayers, findRuntime, reachable, SOURCE } from "./runtime.ts";
import { Supervisor } from "./supervisor.ts";
import { systemOn } from "./system.ts";
import { everyProblem } from "./every_problem.ts";

/** What the serve command gives the supervisor. */
export interface ServeOptions {
  readonly configuration: Configuration;
  /** What is wrong with it, none of it fatal: whoever starts the system in the background reads the log alone. */
  readonly problems: readonly Problem[];
  /** Reads the configuration again, for a reload. */
  load(): Configuration;
  out(text: string): void;
}

/** Runs the mail system in the foreground until SIGTERM or SIGINT; the exit code. */
export async function supervise(options: ServeOptions): Promise<number> {
  const { configuration } = options;
  const host = readHost(configuration.value("mail_owner"));
  const queue = configuration.value("queue_directory");
  await refuseSecond(queue);
  const layers = await chooseLayers(valueOf(supervisorParameters.sandbox, configuration), host);
  const pids = pidFile(queue, configuration.value("process_id_directory"));
  const release = takePidFile(queue, pids, host.root);
  // Nothing of a start that failed stays behind, whatever it failed of.
  try {
    prepare(configuration, host);
    openServices(configuration, host);
    using stage = reachable(findRuntime(), host, layers);
    const { runtime } = stage;
    const system = systemOn({ configuration, host, runtime, layers, directory: queue });
    await run(new Supervisor(system), options, describeLayers(layers, host));
  } finally {
    flushLog();
    release();
  }
  return EX.OK;
}

/** Each says what was wrong, or nothing. */
type Reloads = SharedRun<string>;

/** From the first process to the last. */
async function run(supervisor: Supervisor, options: ServeOptions, layers: string): Promise<void> {
  const { configuration } = options;
  installLog(configuration);
  // Who asks while one is under way gets what is in the files when that one is done.
  const reloads = new SharedRun(() => reload(supervisor, options));
  const ended = untilStopped(supervisor, reloads);
  const started = supervisor.start().then(() => true);
  const control = answerControl(supervisor, reloads, options.configuration, layers);
  // A signal may come before everything has started.
  if (await Promise.race([started, ended.then(() => false)])) {
    inForce("daemon started", configuration.value("mail_version"), configuration.directory);
    if (logsToService(configuration)) warnOf(options.problems);
    options.out(welcome(supervisor, layers));
  }
  await ended;
  control.close();
}

/** Throws ConfigError when somebody answers on this queue. */
async function refuseSecond(queue: string): Promise<void> {
  const state = await probe(socketPath(queue, "control")).catch((error) => {
    throw new ConfigError(`queue_directory: cannot use ${queue}: ${reason(error)}`);
  });
  if (state === "up") throw alreadyRunning(queue);
}

function installLog(configuration: Configuration): void {
  const service = logsToService(configuration);
  const process = `${configuration.value("syslog_name")}/master`;
  installSink({
    process,
    pid: Deno.pid,
    hostname: configuration.logHostname,
    json: valueOf(supervisorParameters.logFormat, configuration) === "json",
    log: service
      ? { master: socketPath(configuration.value("queue_directory"), logServiceOf(process)) }
      : {},
  });
}

/** Resolves when a signal or `postern stop` has ended everything; SIGHUP reloads. */
function untilStopped(supervisor: Supervisor, reloads: Reloads): Promise<void> {
  return new Promise((resolve) => {
    const stop = (signal: number) => {
      info(`terminating on signal ${signal}`);
      supervisor.stop().then(resolve);
    };
    process.on("SIGTERM", () => stop(15));
    process.on("SIGINT", () => stop(2));
    process.on("SIGHUP", () => void reloads.join());
  });
}

function warnOf(problems: readonly Problem[]): void {
  for (const { severity, message } of problems) if (severity === "warning") warning(message);
}

/** Reads the configuration again and puts it in force; what is wrong, or an empty string. Both are in the log. */
async function reload(supervisor: Supervisor, options: ServeOptions): Promise<string> {
  const error = await putInForce(supervisor, options);
  if (error) warning(`reload: ${error}`);
  return error;
}

async function putInForce(supervisor: Supervisor, options: ServeOptions): Promise<string> {
  try {
    const next = options.load();
    const fixed = changedOfFixed(options.configuration, next);
    if (fixed) return `${fixed}: cannot change while the system runs: stop and start it`;
    // All of it is looked at before any of it is in force.
    const problems = everyProblem(next, false);
    warnOf(problems);
    const fatal = problems.filter(({ severity }) => severity === "fatal");
    if (fatal.length) return fatal.map((problem) => problem.message).join("; ");
    prepare(next, supervisor.system.host);
    await supervisor.reload(next);
    openServices(next, supervisor.system.host);
    installLog(next);
    return "";
  } catch (error) {
    return reason(error);
  }
}

/** What is chosen once: where the system is, whom its files belong to, and what confines its roles. */
const FIXED: readonly Parameter[] = [
  supervisorParameters.queueDirectory,
  supervisorParameters.processIdDirectory,
  supervisorParameters.sandbox,
];

/** The name of a parameter whose value is another than at the start, and must not be; what is no value is told elsewhere. */
function changedOfFixed(before: Configuration, next: Configuration): string | undefined {
  const fixed = isRoot() ? [...FIXED, supervisorParameters.mailOwner] : FIXED;
  const bad = new Set(
    next.problems.filter(({ severity }) => severity === "fatal")
      .map(({ parameter }) => parameter),
  );
  return fixed.filter(({ name }) => !bad.has(name))
    .find((each) => valueOf(each, next) !== valueOf(each, before))?.name;
}

function answerControl(
  supervisor: Supervisor,
  reloads: Reloads,
  configuration: Configuration,
  layers: string,
) {
  const queue = configuration.value("queue_directory");
  const answerer = answer(controlService, {
    // deno-lint-ignore require-await
    status: async () => ({ layers: layers.slice(0, 200), services: supervisor.status() }),
    reload: async () => ({ error: withoutControls((await reloads.join()).slice(0, 2000)) }),
    // deno-lint-ignore require-await
    want: async ({ service }) => {
      supervisor.want(service);
      return {};
    },
    // deno-lint-ignore require-await
    stop: async () => {
      setTimeout(() => process.kill(Deno.pid, "SIGTERM"), 20);
      return {};
    },
  });
  clearSocket(queue, "control", supervisor.system.host);
  const server = createServer((socket) => answerer.attach(socket));
  server.listen(
    socketPath(queue, "control"),
    () => protectSocket(queue, "control", supervisor.system.host),
  );
  return server;
}

/** What the first line says when the system is up. */
export const READY = "Postern is ready";

/** What a person sees when the system is up. */
function welcome(supervisor: Supervisor, layers: string): string {
  const { configuration } = supervisor.system;
  const entries = configuration.services.filter((entry) => entry.type === "inet");
  const failed = supervisor.failed().map((each) =>
    `  not running: ${each.service} (${each.reason})\n`
  );
  const ours = configuration.directory === join(SOURCE, "config");
  const program = Deno.build.standalone ? Deno.execPath() : "deno task postern";
  const postern = ours ? program : `${program} -c ${configuration.directory}`;
  const { host, port } = inetName(entries[0]?.name ?? "") ?? { host: "", port: 0 };
  const at = `${host || "127.0.0.1"}:${port}`;
  return `${READY}: SMTP on ${entries.map((entry) => entry.name).join(", ")}\n` +
    `  confinement: ${layers}\n${failed.join("")}` +
    (ours
      ? `  send:        swaks --server ${at} --to you@localhost   (or: echo hi | ${postern} sendmail you@localhost)\n` +
        `  read:        ls ${configuration.value("virtual_mailbox_base")}/you/new\n`
      : "") +
    `  queue:       ${postern} mailq\n` +
    `  stop:        Ctrl-C, or ${postern} stop\n`;
}
