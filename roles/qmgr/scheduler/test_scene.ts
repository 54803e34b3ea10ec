/** For tests: a scheduler with a clock that can be moved, and short ways to speak to it. */

import type { NumberedRecipient } from "../active_message.ts";
import { type Entry, type Group, Scheduler } from "./scheduler.ts";
import type { TransportSettings } from "./settings.ts";
import { testScheduler } from "./test_settings.ts";

export type Message = string;
export const REFUSED = { dsn: "4.4.1", text: "connect to mx: Connection refused" };

function recipients(count: number): NumberedRecipient[] {
  return Array.from({ length: count }, (_, n) => {
    const address = `r${n}@x`;
    return { n, address, original: address, orcpt: "", notify: [] };
  });
}

export const to = (key: string, count = 1): Group => ({
  nexthop: key,
  key,
  recipients: recipients(count),
});

/** A scheduler, and the deliveries that it has handed out. */
export class Scene {
  warnings: string[] = [];
  now = 1_000_000;
  scheduler;

  constructor(
    part: Partial<TransportSettings> = {},
    others: Record<string, Partial<TransportSettings>> = {},
    readonly settings = testScheduler(part, others),
  ) {
    this.scheduler = new Scheduler<Message>(settings, {
      warn: (text) => this.warnings.push(text),
      info: () => {},
    });
  }

  add(message: Message, groups: Group[], transport = "smtp") {
    return this.scheduler.enqueue(transport, message, groups, this.now);
  }

  /** A reload. */
  configure(part: Partial<TransportSettings>): void {
    this.scheduler.configure(testScheduler(part), this.now);
  }

  next(): Entry<Message> | undefined {
    return this.scheduler.next(this.now);
  }

  /** Everything that may be handed out now. */
  all(): Entry<Message>[] {
    const entries = [];
    for (let entry; (entry = this.next());) entries.push(entry);
    return entries;
  }

  /** Messages in the order of delivery, each delivered at once. */
  order(count = Infinity): string[] {
    const order = [];
    for (let entry; order.length < count && (entry = this.next());) {
      order.push(entry.message);
      this.scheduler.finished(entry, null, this.now);
    }
    return order;
  }

  end(entry: Entry<Message>, problem: typeof REFUSED | null = null) {
    return this.scheduler.finished(entry, problem, this.now);
  }
}

export const messages = (entries: readonly Entry<Message>[]) =>
  entries.map(({ message }) => message);
