/** A running system with a server to relay to, and a count of what arrived where, by the messages' own ids. */

import { client } from "../../shared/ipc/client.ts";
import { databaseDirectory, maildropDirectory, socketPath } from "../../shared/layout.ts";
import { pickupService } from "../../shared/protocols/pickup.ts";
import { contentDirectory } from "../../shared/queue/sqlite_schema.ts";
import { openReader } from "../../shared/queue/sqlite_reader.ts";
import { ID_HEADER, isUnharmed } from "../support/load.ts";
import { Sink } from "../support/sink.ts";
import { System } from "../support/system.ts";
import { namesIn } from "../support/files.ts";
import { countsOf } from "../support/queue_counts.ts";

/** Retries come soon, so that mail that a crash deferred arrives within the test. */
const QUICK = [
  "minimal_backoff_time = 1s",
  "maximal_backoff_time = 2s",
  "queue_run_delay = 1s",
  "service_throttle_time = 1s",
  // An agent that takes long to start on a busy machine is asked again soon, too.
  "transport_retry_time = 1s",
].join("\n");
/** Whoever writes to it is refused for good. */
export const REFUSED = "refused@sink.test";
/** Whoever writes to it is told to come again, the first time; `deferred-1@sink.test` and so on are others of the kind. */
export const DEFERRED = "deferred@sink.test";
/** The sender of mail that bounces: reports arrive in this mailbox. */
export const AUTHOR = "u2@box.test";

export interface SceneOptions {
  readonly main?: string;
  /** Has postlogd write a file, which needs a place that the system may write to. */
  readonly log?: boolean;
  /** Where roles stop: ROLE:POINT:COUNT. */
  readonly stopAt?: string;
  /** Services that are not started. */
  readonly without?: readonly string[];
  /** Where the queue is; in the system's own directory otherwise. */
  readonly queue?: string;
}

export class Scene implements AsyncDisposable {
  /** Copies of each message that arrived, at the server or in the first user's mailbox: the queue id of each. */
  readonly delivered = new Map<string, string[]>();
  /** Reports about each message that arrived in the author's mailbox: the queue id of each. */
  readonly reported = new Map<string, string[]>();
  /** Ids of messages that arrived, but not as they were sent. */
  readonly damaged: string[] = [];
  #seen = new Set<string>();

  private constructor(
    readonly sink: Sink,
    readonly system: System,
    /** While it is busy the server tells everybody to come again. */
    readonly server: { isBusy: boolean },
  ) {}

  static async start(options: SceneOptions = {}): Promise<Scene> {
    const { main = "", log = false, stopAt, queue, without = [] } = options;
    const deferred = new Set<string>();
    let transaction = "";
    const server = { isBusy: false };
    const sink = await Sink.start({
      answer(line) {
        if (line.startsWith("MAIL")) transaction = line;
        if (server.isBusy && line.startsWith("RCPT")) return "450 4.3.2 not now";
        if (line.startsWith(`RCPT TO:<${REFUSED}>`)) return "550 5.1.1 nobody of that name";
        if (!line.startsWith("RCPT TO:<deferred") || deferred.has(transaction + line)) return;
        deferred.add(transaction + line);
        return "450 4.2.1 come again";
      },
    });
    const relay = `smtp:[127.0.0.1]:${sink.port}`;
    const system = await System.prepare(queue === undefined ? {} : { queue });
    const maillog = log ? `maillog_file = ${system.directory}/log/maillog\n` : "";
    await system.configure({ sink: relay, without, main: `${QUICK}\n${maillog}${main}` });
    if (log) await system.logDirectory();
    const scene = new Scene(sink, system, server);
    try {
      await system.start(stopAt ? { POSTERN_STOP_AT: stopAt } : {});
    } catch (error) {
      await scene[Symbol.asyncDispose]();
      throw error;
    }
    return scene;
  }

  /** Counts what has arrived since. */
  look(): void {
    for (const { content } of this.sink.received.splice(0)) this.#count(this.delivered, content);
    this.#readMaildir("u1", this.delivered);
    this.#readMaildir("u2", this.reported);
  }

  /** Ids of the messages that are in the queue or in the maildrop. */
  async waiting(): Promise<Set<string>> {
    const ids = new Set<string>();
    const note = (text: string) => {
      const id = idOf(text);
      if (id) ids.add(id);
    };
    // In the direction in which mail moves, so that none slips past.
    for (const name of this.maildrop()) {
      note(tryRead(`${maildropDirectory(this.system.queue)}/${name}`));
    }
    const reader = openReader(databaseDirectory(this.system.queue));
    try {
      for await (const { queue_id } of reader.list()) {
        note(await textOf(reader.content(queue_id)).catch(() => ""));
      }
    } finally {
      await reader.close();
    }
    return ids;
  }

  /** Has pickup look at the whole maildrop, as sendmail does when it leaves something there. */
  async wakePickup(): Promise<void> {
    const pickup = client(pickupService, { path: socketPath(this.system.queue, "pickup") });
    await pickup.call("wake", { file: "" }).catch(() => {});
    pickup.close();
  }

  /** Files in the maildrop. */
  maildrop(): string[] {
    return namesIn(maildropDirectory(this.system.queue));
  }

  /** Content files of the queue; those that are kept to be written over are not content. */
  contentFiles(): string[] {
    return namesIn(contentDirectory(databaseDirectory(this.system.queue)))
      .filter((name) => !name.startsWith("spare-"));
  }

  /** How many messages the queue has. */
  async queued(): Promise<number> {
    const reader = openReader(databaseDirectory(this.system.queue));
    const counts = await countsOf(reader).finally(() => reader.close());
    return Object.values(counts).reduce((sum, each) => sum + each, 0);
  }

  /** Waits until nothing is in the queue or the maildrop, then counts. */
  async untilQuiet(milliseconds = 120_000): Promise<void> {
    await this.system.until(
      async () => this.maildrop().length === 0 && await this.queued() === 0,
      milliseconds,
    );
    this.look();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.system[Symbol.asyncDispose]();
    await this.sink[Symbol.asyncDispose]();
  }

  #readMaildir(user: string, counts: Map<string, string[]>): void {
    const directory = `${this.system.mail}/${user}/new`;
    for (const name of namesIn(directory)) {
      const path = `${directory}/${name}`;
      if (!this.#seen.has(path)) this.#count(counts, tryRead(path));
      this.#seen.add(path);
    }
  }

  #count(counts: Map<string, string[]>, text: string): void {
    const id = idOf(text);
    if (!id) return;
    if (counts === this.delivered && !isUnharmed(text)) this.damaged.push(id);
    const queueId = /^Received: [^;]*?\bid (\w+)/m.exec(text)?.[1] ?? "";
    counts.set(id, [...counts.get(id) ?? [], queueId]);
  }
}

/** A message's own id, in the text of the message or of a report about it. */
function idOf(text: string): string | undefined {
  return new RegExp(`^${ID_HEADER}: (\\S+)`, "m").exec(text)?.[1];
}

async function textOf(
  content: Promise<Uint8Array | AsyncIterable<Uint8Array>>,
): Promise<string> {
  const found = await content;
  if (found instanceof Uint8Array) return new TextDecoder().decode(found);
  for await (const first of found) return new TextDecoder().decode(first);
  return "";
}

/** A file's text; empty when it is gone already. */
function tryRead(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return "";
  }
}
