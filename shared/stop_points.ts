/**
 * Named points between two steps of a message's way, at which a test stops a role to kill it there (tests/crash). Nothing
 * of this exists in a normal run: the hook is undefined unless whoever started the supervisor asked for a point with
 * POSTERN_STOP_AT, and passing a point costs one look at it.
 */

/** Each point, and what is true there. */
export const STOP_POINTS = {
  "smtpd.queued": "cleanup said that the message is durable; the client has no reply",
  "cleanup.received": "the header is read; qmgr knows nothing",
  "cleanup.queued": "qmgr said that the message is durable; smtpd has no reply",
  "pickup.received": "the file in the maildrop is read; cleanup knows nothing",
  "pickup.queued": "the message is durable; the file is still in the maildrop",
  "intake.received": "qmgr knows the envelope",
  "intake.content_written": "the content is in memory or in a synced file that no message names",
  "bodies.kept": "a body is in a synced file; nobody knows its head",
  "commit.before": "new mail is collected for a commit",
  "commit.after": "new mail is durable; nobody was answered",
  "store.pieces_synced": "contents of some length are in synced segments; no message names them",
  "store.written": "inside a transaction that is complete but for its COMMIT",
  "store.unsynced": "after the COMMIT, before the sync of the log",
  "store.committed": "after that sync, before content files are removed",
  "activate.before": "mail that waited is chosen for delivery",
  "activate.after": "it is active on the disk, not in memory",
  "outcome.received": "the agent has answered qmgr",
  "outcome.before": "outcomes are collected for a commit",
  "outcome.after": "outcomes are durable; the agent keeps them still",
  "bounce.before_notice": "a failure is durable; its sender was not told",
  "bounce.after_notice": "the report is durable; the message does not know",
  "notice.queued": "bounce has submitted a report; qmgr has no reply",
  "requeue.before": "a message is about to go back to deferred",
  "requeue.after": "it is deferred on the disk, still in memory",
  "remove.before": "a message is about to be removed",
  "remove.after": "it is removed; the agent keeps its outcomes still",
  "smtp.content_sent": "the end of data is on its way; no reply yet",
  "smtp.accepted": "the server said 250; qmgr does not know",
  "virtual.written": "the file is in tmp/, not synced",
  "virtual.synced": "the file is synced, still in tmp/",
  "virtual.renamed": "the file is in new/; qmgr does not know",
} as const;

export type StopPoint = keyof typeof STOP_POINTS;

/** Passes a point: `stopAt?.("commit.before")`. */
export let stopAt: ((point: StopPoint) => void) | undefined;

/** Stops this process for good when it passes `point` for the `count`th time. It says so on standard error. */
export function armStopPoint(point: string, count: number): void {
  let left = count;
  stopAt = (here) => {
    if (here !== point || --left > 0) return;
    Deno.stderr.writeSync(new TextEncoder().encode(`stopped at ${point}\n`));
    // Whoever asked for it kills this process; it does not run one step further.
    for (;;) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  };
}
