/**
 * The skeleton of every role: waits for the supervisor's hand-over, starts the role's own code, answers heartbeats,
 * drains when told. A role holds what it is handed and nothing else: no configuration files, no environment.
 */

import { createServer, type Server, type Socket } from "node:net";
import { Compile } from "typebox/schema";
import { BugError, ConfigError, EX, reason, StorageError } from "../errors.ts";
import { type Client, client } from "../ipc/client.ts";
import type { Calls, Service } from "../ipc/declare.ts";
import type { Answerer } from "../ipc/server.ts";
import { fatal, panic, warning } from "../log/log.ts";
import { logging } from "../parameters/global.ts";
import { type Parameters, parseAll, type Values } from "../parameters/declare.ts";
import { snapshot } from "../counters.ts";
import { type Bind, type TlsMaterial, ToRole } from "./control_messages.ts";
import { type Control, endByHand, openControl } from "./control_channel.ts";
import { Garbage } from "./garbage.ts";
import { armStopPoint } from "../stop_points.ts";
import { flushLog, formatLog, installSink } from "./sink.ts";

/** What a role is given at start. */
export interface Context<P extends Parameters> {
  /** The service's name in master.cf: `smtp`, `submission`, `relay`. */
  readonly service: string;
  /** The role as the log names it: `smtp` and `lmtp` are one role. */
  readonly role: string;
  /** This host's name in the log. */
  readonly hostname: string;
  /** The services whose sockets it is handed. */
  readonly answers: readonly string[];
  readonly params: Values<P>;
  readonly tls: TlsMaterial | null;
  /** A client of a service that the policy row allows; made once, kept. */
  client<C extends Calls>(service: Service<C>): Client<C>;
  /** Whether there is such a service: transports come from tables, which may name any. */
  has(service: string): boolean;
}

/** What a started role consists of. */
export interface Running<P extends Parameters = Parameters> {
  /** The services it answers. */
  readonly answers?: readonly Answerer[];
  /** Takes a connection from one of the inet listeners. */
  accept?(socket: Socket): void;
  /** Finishes what is in hand; the process exits when it resolves. */
  drain?(): Promise<void>;
  /** The system ends: what is in hand must end within `ms`. Before drain, or while that goes on. */
  stop?(ms: number): void;
  /** Takes new parameters in place: only for roles whose policy row says that they are never replaced. */
  reload?(params: Values<P>): void;
  /** True while it has work of its own that no conversation shows. */
  busy?(): boolean;
}

export interface Definition<P extends Parameters> {
  readonly name: string;
  readonly parameters: P;
  start(context: Context<P>): Running<P> | Promise<Running<P>>;
}

type Start = Extract<ToRole, { type: "start" }>;

const message = Compile(ToRole);
/** How long a call waits for its service to be started. */
const START_MS = 10_000;
/** What a role is left with, of the time of a stop, for its last frames and lines. */
const LAST_WORDS_MS = 300;
/** A service is asked for again only after so long. */
const WANT_MS = 1000;
/** How often an idle role looks whether it may leave. */
const IDLE_CHECK_MS = 1000;

/** Runs a role in this process. Each role's main.ts calls it once. */
export function role<P extends Parameters>(definition: Definition<P>): void {
  const control = openControl();
  if (!control) return endByHand(definition.name);
  // deno-lint-ignore no-explicit-any
  const hosted = new Host(definition as any, control);
  control.onMessage((value, handle) => {
    if (!message.Check(value)) return panic("control: message not of the declared shape");
    hosted.take(value, handle).catch((error) => hosted.fail(error));
  });
  globalThis.addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    hosted.fail(event.reason);
  });
  control.say({ type: "up" });
}

class Host {
  #start: Start | undefined;
  #handles: { answers: string; handle: unknown }[] = [];
  #servers: Server[] = [];
  #running: Running | undefined;
  #clients = new Map<string, Client<Calls>>();
  #onRequest = new Set<string>();
  /** By service. A Map: a transport that a table names may be called like a property that every object has. */
  #sockets = new Map<string, string>();
  /** The services on whose sockets somebody has connected since the last sign of life. */
  #connected = new Set<string>();
  /** When each service was last asked for. */
  #wantedAt = new Map<string, number>();
  #lastBusy = performance.now();
  #draining = false;
  #garbage = new Garbage();

  constructor(readonly definition: Definition<Parameters>, readonly control: Control) {}

  async take(value: ToRole, handle: unknown): Promise<void> {
    switch (value.type) {
      case "start":
        this.#start = value;
        this.#sockets = new Map(Object.entries(value.sockets));
        this.#onRequest = new Set(value.onRequest);
        break;
      case "listen":
        this.#handles.push({ answers: value.answers, handle });
        this.control.say({ type: "took" });
        break;
      case "go":
        await this.#go();
        break;
      case "ping":
        this.control.say({ type: "pong", counters: snapshot(), quiet: this.#quiet() });
        void this.#garbage.look();
        break;
      case "drain":
        if (value.stopMs !== undefined) this.#running?.stop?.(value.stopMs - LAST_WORDS_MS);
        await this.#drain();
        break;
      case "reload":
        this.#sockets = new Map(Object.entries(value.sockets));
        this.#onRequest = new Set(value.onRequest);
        for (const each of this.#running?.answers ?? []) each.allow(value.connections);
        formatLog(parseAll(logging, value.parameters).logFormat === "json");
        this.#running?.reload?.(parseAll(this.definition.parameters, value.parameters));
    }
  }

  /** Tells the supervisor and the log why this role ends, and ends it. */
  fail(error: unknown): void {
    const config = error instanceof ConfigError;
    const text = error instanceof BugError ? error.stack ?? error.message : reason(error);
    // What the operator or the disk has to mend is no fault of the program.
    if (config || error instanceof StorageError) fatal(text);
    else panic((error instanceof Error && error.stack || text).replaceAll("\n", " "));
    this.control.say({ type: "fatal", text: text.slice(0, 2000), config });
    flushLog();
    setTimeout(() => this.control.exit(config ? EX.CONFIG : EX.SOFTWARE), 50);
  }

  async #go(): Promise<void> {
    const start = this.#start;
    if (!start) throw new BugError("control: go before start");
    if (start.stopAt) armStopPoint(start.stopAt.point, start.stopAt.count);
    if (this.#handles.length !== start.listeners) {
      throw new BugError(
        `control: ${this.#handles.length} of ${start.listeners} listening sockets came`,
      );
    }
    const values = parseAll({ ...logging, ...this.definition.parameters }, start.parameters);
    installSink({
      process: logName(values.syslogName, start),
      pid: start.pid,
      hostname: start.hostname,
      json: values.logFormat === "json",
      log: start.log,
    });
    this.#running = await this.definition.start({
      service: start.service,
      role: start.role,
      hostname: start.hostname,
      answers: [...this.#handles, ...start.binds].map(({ answers }) => answers).filter(Boolean),
      params: values,
      tls: start.tls,
      client: (service) => this.#client(service),
      has: (service) => this.#sockets.has(service),
    });
    for (const each of this.#running.answers ?? []) each.allow(start.connections);
    this.#listen();
    await this.#bind(start.binds);
    if (start.maxIdleSeconds) setInterval(() => this.#leaveWhenIdle(), IDLE_CHECK_MS);
    this.control.say({ type: "ready" });
  }

  #client<C extends Calls>(service: Service<C>): Client<C> {
    const known = this.#clients.get(service.name);
    if (known) return known as unknown as Client<C>;
    const path = this.#sockets.get(service.name);
    if (!path) {
      throw new BugError(`the policy row of ${this.definition.name} does not call ${service.name}`);
    }
    const made = client(service, {
      path,
      patienceMs: START_MS,
      want: () => {
        if (this.#onRequest.has(service.name)) this.#want(service.name);
      },
    });
    this.#clients.set(service.name, made as unknown as Client<Calls>);
    return made;
  }

  /** Whoever answers stays longer than this: a peer that breaks each call at once must not make us flood the supervisor. */
  #want(service: string): void {
    const now = performance.now();
    if (now - (this.#wantedAt.get(service) ?? -Infinity) < WANT_MS) return;
    this.#wantedAt.set(service, now);
    this.control.say({ type: "want", service });
  }

  /** Takes connections from every handle that has come. */
  #listen(): void {
    for (const { answers, handle } of this.#handles.splice(0)) {
      this.#server(answers).listen(handle as object);
    }
  }

  /** Binds sockets of our own, and resolves when all of them listen. */
  async #bind(binds: readonly Bind[]): Promise<void> {
    await Promise.all(binds.map(({ answers, path, address, port }) => {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const server = this.#server(answers);
      server.once("error", reject);
      // Several processes may answer one port, the old and the new of a reload for a moment.
      server.listen(path ? { path } : { host: address, port, reusePort: true }, resolve);
      return promise;
    }));
  }

  /** A server whose connections go to who answers them. */
  #server(answers: string): Server {
    const answerer = this.#running!.answers?.find((each) => each.service === answers);
    const accept = answers
      ? answerer && ((socket: Socket) => {
        this.#connected.add(answers);
        answerer.attach(socket);
      })
      : this.#running!.accept?.bind(this.#running);
    if (!accept) {
      throw new BugError(`${this.definition.name} does not answer ${answers || "inet"}`);
    }
    // A client may end its side and still read what we have to say; a peer among the roles that does so is gone.
    const server = createServer({ noDelay: true, allowHalfOpen: !answers }, accept);
    server.on("error", (error) => warning(`listener ${answers}: ${error.message}`));
    this.#servers.push(server);
    return server;
  }

  /** The runtime does not tell of a listener that takes no connection any more: the supervisor finds out by this. */
  #quiet(): string[] {
    const names = (this.#running?.answers ?? []).map((each) => each.service);
    const quiet = names.filter((name) => !this.#connected.has(name));
    this.#connected.clear();
    return quiet;
  }

  #busy(): boolean {
    return Boolean(this.#running?.busy?.()) ||
      (this.#running?.answers ?? []).some((each) => each.busy > 0);
  }

  #leaveWhenIdle(): void {
    if (this.#busy()) this.#lastBusy = performance.now();
    if (performance.now() - this.#lastBusy < this.#start!.maxIdleSeconds * 1000) return;
    this.#lastBusy = performance.now();
    this.control.say({ type: "idle" });
  }

  async #drain(): Promise<void> {
    if (this.#draining) return;
    this.#draining = true;
    for (const server of this.#servers) server.close();
    await Promise.all([
      this.#running?.drain?.(),
      ...(this.#running?.answers ?? []).map((each) => each.drain()),
    ]);
    for (const each of this.#clients.values()) each.close();
    flushLog();
    // Last frames and lines leave before the process does.
    setTimeout(() => this.control.exit(EX.OK), 20);
  }
}

/** `postfix/smtpd`, or `postfix/relay/smtp` where a service runs another service's role. */
function logName(syslogName: string, start: Start): string {
  return `${syslogName}/${start.role}`;
}
