/** Mail for the odd server: each recipient of each message was kept there, or the sender has a report. */

import type { Received } from "../support/sink.ts";
import type { OddServer } from "./odd_server.ts";
import type { Promised } from "./oracle.ts";

/** Reports go to the senders, who have no other mail. */
export function isReport({ to }: Received): boolean {
  return to.every((each) => each.endsWith("@src.test"));
}

/** Promises that neither the server nor a report to the sender has made good, as words. */
export function openPromises(
  promised: readonly Promised[],
  odd: OddServer,
  received: readonly Received[],
): string[] {
  const reported = new Set(received.filter(isReport).flatMap(failures));
  return promised.flatMap(({ queueId, sender, recipients }) =>
    [...new Set(recipients)].filter((each) =>
      !odd.kept.has(`${sender} ${each}`) && !reported.has(`${sender} ${each}`)
    ).map((each) => `${queueId} from <${sender}> to <${each}>`)
  );
}

/** For whom a report says that the message was not delivered: `SENDER RECIPIENT` each. */
function failures({ to, content }: Received): string[] {
  return [...content.matchAll(/^Final-Recipient: \S+ (\S+)\r\n(?:.*\S.*\r\n)*?Action: failed/gm)]
    .map(([, recipient]) => `${to[0]} ${recipient}`);
}
