/** A whole qmgr for tests: a real store, real sockets, agents and bounce played by functions, a clock that can be moved. */

import { createServer, type Server } from "node:net";
import { client } from "../../shared/ipc/client.ts";
import type { ReplyOf } from "../../shared/ipc/declare.ts";
import type { Answerer } from "../../shared/ipc/server.ts";
import { setSink } from "../../shared/log/log.ts";
import type { Envelope, Outcome, Recipient, Source } from "../../shared/mail/envelope.ts";
import { queueIdSource } from "../../shared/mail/queue_id.ts";
import { parseAll } from "../../shared/parameters/declare.ts";
import { qmgrParameters } from "../../shared/parameters/qmgr.ts";
import type { bounceService, Report } from "../../shared/protocols/bounce.ts";
import type { DeliveryReply, DeliveryRequest, Handed } from "../../shared/protocols/delivery.ts";
import {
  bodiesService,
  flushService,
  intakeService,
  outcomesService,
  queueService,
} from "../../shared/protocols/queue.ts";
import type { Resolved } from "../../shared/protocols/rewrite.ts";
import { openStore, type SqliteStore } from "../../shared/queue/sqlite_store.ts";
import { testEnvelope } from "../../tests/support/envelope.ts";
import type { DeliveryClient } from "./agents.ts";
import { Qmgr } from "./qmgr.ts";
import type { BounceClient } from "./reports.ts";
import { Seals } from "./seals.ts";
import type { Params } from "./settings.ts";
import { pause } from "../../tests/support/waiting.ts";
import { countsOf } from "../../tests/support/queue_counts.ts";

/** Generous: only a test that fails waits so long. */
const WITHIN_MS = 60_000;
/** A grace after a start that no slow machine outlasts: a test ends it itself. */
export const GRACE_MS = 600_000;

export type Agent = (
  request: DeliveryRequest,
  content: Uint8Array | AsyncIterable<Uint8Array>,
  transport: string,
) => DeliveryReply | Promise<DeliveryReply>;

export interface Options {
  readonly params?: Partial<Params>;
  readonly agent?: Agent;
  /** Real agents instead, by transport. */
  readonly clientOf?: (transport: string) => DeliveryClient;
  readonly resolve?: (address: string) => Resolved | Promise<Resolved>;
  /** The queue id of the report on all recipients, the reply of another one, or a failure. */
  readonly bounce?: (report: Report) => Promise<string | ReportReply>;
  /** The queue of a former world. */
  readonly directory?: string;
  readonly graceMs?: number;
  /** Milliseconds that somebody set the clock ahead before the start. */
  readonly leap?: number;
  /** Stands between qmgr and its store. */
  readonly around?: (store: SqliteStore) => SqliteStore;
}

type ReportReply = ReplyOf<typeof bounceService.calls, "report">;

const nextId = queueIdSource();

/** The parameters as they are by default. */
function defaultParams(part: Partial<Params> = {}): Params {
  const texts: Record<string, string> = {};
  for (const each of Object.values(qmgrParameters)) {
    texts[each.name] = each.suffix ? JSON.stringify({ "": each.fallback }) : each.fallback;
  }
  const identity = { myhostname: "mx.test", mydomain: "test", myorigin: "test" };
  return { ...parseAll(qmgrParameters, { ...texts, ...identity }), ...part };
}

export function sent(n: number): Outcome {
  return { n, status: "sent", dsn: "2.0.0", text: "250 ok", remoteMta: "mx", diagnostic: "" };
}

export function deferred(n: number, text = "450 later"): Outcome {
  return { n, status: "deferred", dsn: "4.2.0", text, remoteMta: "mx", diagnostic: "" };
}

export function bounced(n: number): Outcome {
  return { n, status: "bounced", dsn: "5.1.1", text: "550 no", remoteMta: "mx", diagnostic: "" };
}

/** The same for every recipient of a request. */
export function all(request: DeliveryRequest, outcome: (n: number) => Outcome): DeliveryReply {
  return { outcomes: request.recipients.map(({ n }) => outcome(n)), siteProblem: null };
}

export function resolvedTo(transport: string, nexthop: string, recipient: string): Resolved {
  return {
    transport,
    nexthop,
    recipient,
    class: "default",
    routed: false,
    error: false,
    fail: false,
  };
}

export class World implements AsyncDisposable {
  readonly directory: string;
  readonly log: string[] = [];
  /** In whose name something was said of a message: the last one, by queue id. */
  readonly programs = new Map<string, string>();
  readonly requests: DeliveryRequest[] = [];
  readonly reports: Report[] = [];
  settled = 0;
  /** Milliseconds that the clock is ahead. */
  ahead = 0;
  /** Milliseconds that somebody set the clock ahead. */
  leap = 0;
  readonly store: SqliteStore;
  readonly qmgr: Qmgr;
  readonly intake;
  readonly bodies;
  readonly queue;
  readonly flush;
  readonly outcomes;
  #servers: Server[] = [];
  #sockets = Deno.makeTempDirSync();

  private constructor(readonly options: Options) {
    setSink((severity, text, _fields, program) => {
      this.log.push(severity === "info" ? text : `${severity}: ${text}`);
      if (program) this.programs.set(text.split(":")[0]!, program);
    });
    this.directory = options.directory ?? Deno.makeTempDirSync();
    this.leap = options.leap ?? 0;
    const store = openStore(this.directory);
    this.store = options.around?.(store) ?? store;
    this.qmgr = new Qmgr({
      store: this.store,
      directory: this.directory,
      resolver: { resolve: (_sender, address) => this.#resolve(address) },
      bounce: this.#bounce(),
      clientOf: options.clientOf ?? ((transport) => this.#agent(transport)),
      now: () => Date.now() + this.ahead + this.leap,
      steady: () => Date.now() + this.ahead,
      graceMs: options.graceMs ?? 0,
    }, defaultParams(options.params));
    for (const answerer of this.qmgr.answers) this.#serve(answerer);
    this.intake = client(intakeService, { path: `${this.#sockets}/intake` });
    this.bodies = client(bodiesService, { path: `${this.#sockets}/bodies` });
    this.queue = client(queueService, { path: `${this.#sockets}/queue` });
    this.flush = client(flushService, { path: `${this.#sockets}/flush` });
    this.outcomes = client(outcomesService, { path: `${this.#sockets}/outcomes` });
  }

  static async open(options: Options = {}): Promise<World> {
    const world = new World(options);
    await world.qmgr.start();
    return world;
  }

  /** Takes a message in; resolves, when it is durable, to its queue id or that of the same source before. */
  async enqueue(
    addresses: readonly string[],
    part: {
      sender?: string;
      content?: Uint8Array | AsyncIterable<Uint8Array>;
      notify?: Recipient["notify"];
      expanded?: Recipient[];
      queueId?: string;
      arrived?: number;
      source?: Source;
      trace?: Envelope["trace"];
      /** The key of a body that is kept already. */
      body?: string;
    } = {},
  ): Promise<string> {
    const envelope = testEnvelope({
      queueId: part.queueId ?? nextId(),
      sender: part.sender ?? "sender@example.com",
      arrived: part.arrived ?? Date.now() + this.ahead,
      ...(part.trace ? { trace: part.trace } : {}),
    });
    const recipients = addresses.map((address) => (
      { address, original: address, orcpt: "", notify: part.notify ?? [] }
    ));
    const content = part.content ?? new TextEncoder().encode("Subject: x\r\n\r\nhello\r\n");
    const { expanded, source, body } = part;
    const request = {
      envelope,
      recipients,
      ...(expanded && { expanded }),
      ...(source && { source }),
      ...(body !== undefined && { body }),
    };
    const { reply } = await this.intake.call("enqueue", request, content);
    return reply.already ?? envelope.queueId;
  }

  /** Recipients as this qmgr hands them over. */
  handed(queueId: string, ...recipients: number[]): Handed {
    return { queueId, recipients, seal: Seals.open(this.directory).of(queueId, recipients) };
  }

  /** Queue ids of messages whose content is in a file. */
  contents(): string[] {
    return [...Deno.readDirSync(`${this.directory}/content`)].map(({ name }) => name)
      .filter((name) => !name.startsWith("spare-"));
  }

  /** The log lines of one message, without its id; times made equal. */
  lines(queueId: string): string[] {
    return this.log.filter((line) => line.startsWith(`${queueId}: `))
      .map((line) =>
        line.slice(queueId.length + 2).replace(/delay=[\d.]+, delays=[\d./]+/, "delay=D")
      );
  }

  /** Ends a grace of `GRACE_MS`. */
  endGrace(): void {
    this.ahead += GRACE_MS;
    this.qmgr.scan();
  }

  async until(condition: () => boolean | Promise<boolean>, what = "condition"): Promise<void> {
    const end = Date.now() + WITHIN_MS;
    while (!(await condition())) {
      if (Date.now() > end) throw new Error(`waited in vain for ${what}: ${this.log.join("\n")}`);
      await pause(2);
    }
  }

  async untilEmpty(): Promise<void> {
    await this.until(async () => {
      const counts = await countsOf(this.store);
      const isEmpty = Object.values(counts).every((count) => count === 0);
      return isEmpty && this.qmgr.activeQueue.messages.size === 0;
    }, "an empty queue");
  }

  async untilIn(queueId: string, queue: string): Promise<void> {
    await this.until(
      async () => (await this.store.find(queueId))?.queue === queue,
      `${queueId} in ${queue}`,
    );
  }

  /** The socket of one of its services. */
  socket(service: string): string {
    return `${this.#sockets}/${service}`;
  }

  /** The disk as it is now, for another world: what a crash would leave. */
  crash(): string {
    const copy = Deno.makeTempDirSync();
    Deno.mkdirSync(`${copy}/content`);
    for (const folder of ["", "content/"]) {
      for (const { name, isFile } of Deno.readDirSync(`${this.directory}/${folder}`)) {
        if (isFile) {
          Deno.copyFileSync(`${this.directory}/${folder}${name}`, `${copy}/${folder}${name}`);
        }
      }
    }
    return copy;
  }

  async [Symbol.asyncDispose]() {
    for (const each of [this.intake, this.bodies, this.queue, this.flush, this.outcomes]) {
      each.close();
    }
    await this.qmgr.drain();
    await Promise.all(this.#servers.map((each) => new Promise((done) => each.close(done))));
    Deno.removeSync(this.#sockets, { recursive: true });
    Deno.removeSync(this.directory, { recursive: true });
  }

  #resolve(address: string): Resolved | Promise<Resolved> {
    if (this.options.resolve) return this.options.resolve(address);
    return resolvedTo("smtp", address.slice(address.lastIndexOf("@") + 1), address);
  }

  #agent(transport: string): DeliveryClient {
    const call = async (_name: string, request: DeliveryRequest, content: Uint8Array) => {
      this.requests.push(request);
      const reply = await (this.options.agent ?? ((request) => all(request, sent)))(
        request,
        content,
        transport,
      );
      return { reply, settle: () => this.settled++ };
    };
    return { call, close() {} } as unknown as DeliveryClient;
  }

  #bounce(): BounceClient {
    const call = async (_name: string, report: Report) => {
      const bounce = this.options.bounce ?? (() => Promise.resolve("4dXyZ12345z1"));
      const answered = await bounce(report);
      this.reports.push(report);
      const told = report.recipients.length;
      return { reply: typeof answered === "string" ? { queueId: answered, told } : answered };
    };
    return { call, close() {} } as unknown as BounceClient;
  }

  #serve(answerer: Answerer): void {
    const server = createServer((socket) => answerer.attach(socket));
    server.listen(`${this.#sockets}/${answerer.service}`);
    this.#servers.push(server);
  }
}

/** A large content that comes to its end, or breaks off, when the test says so. */
export class Slow {
  #begun = Promise.withResolvers<void>();
  #end = Promise.withResolvers<void>();
  /** When all but its end was taken. */
  readonly begun = this.#begun.promise;

  async *content(): AsyncGenerator<Uint8Array> {
    for (let i = 0; i < 4; i++) yield await Promise.resolve(new Uint8Array(100_000));
    this.#begun.resolve();
    await this.#end.promise;
  }

  end(): void {
    this.#end.resolve();
  }

  fail(): void {
    this.#end.reject(new Error("client went away"));
  }
}

/** Agents that wait until the test ends their deliveries. */
export class Gate {
  waiting: { request: DeliveryRequest; reply: (reply: DeliveryReply) => void }[] = [];
  agent = (request: DeliveryRequest): Promise<DeliveryReply> =>
    new Promise((reply) => this.waiting.push({ request, reply }));

  open(outcome = sent): void {
    for (const { request, reply } of this.waiting.splice(0)) reply(all(request, outcome));
  }

  /** Whoever comes is let through, until this is disposed of. */
  keepOpen(): Disposable {
    const timer = setInterval(() => this.open(), 10);
    return { [Symbol.dispose]: () => clearInterval(timer) };
  }
}

/** A test with a world of its own. */
export function test(
  title: string,
  options: Options,
  run: (world: World) => Promise<void>,
): void {
  Deno.test(title, async () => {
    await using world = await World.open(options);
    await run(world);
  });
}

/** The same, with agents of its own that wait. */
export function gated(
  title: string,
  run: (world: World, gate: Gate) => Promise<void>,
  params?: Partial<Params>,
): void {
  Deno.test(title, async () => {
    const gate = new Gate();
    await using world = await World.open({
      agent: (request) => gate.agent(request),
      ...(params ? { params } : {}),
    });
    await run(world, gate);
  });
}
