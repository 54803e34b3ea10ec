/** How much each scale test does: the task's measure, and what fits into the test suite. */

import type { BacklogOptions } from "./backlog.ts";
import type { LargeOptions } from "./large_messages.ts";
import type { SessionsOptions } from "./sessions.ts";

export interface Sizes {
  readonly sessions: SessionsOptions;
  readonly large: LargeOptions;
  readonly backlog: BacklogOptions;
}

const MB = 1024 * 1024;

export const FULL: Sizes = {
  sessions: { sessions: 10_000, messagesPerSecond: 500, flowSeconds: 20 },
  large: { messages: 20, bytes: 50 * MB },
  backlog: { deferred: 1_000_000, due: 20_000, messages: 5000 },
};

/** Speed is not judged at this size: the machine may be busy. */
export const SHORT: Sizes = {
  sessions: { sessions: 500, messagesPerSecond: 50, flowSeconds: 4 },
  large: { messages: 3, bytes: 10 * MB },
  backlog: { deferred: 10_000, due: 500, messages: 300 },
};
