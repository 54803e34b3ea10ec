/** What somebody says of his lines, before it decides about the order of the log. */

import { PeerError } from "../../shared/errors.ts";
import { microseconds, type Spoken, timeOf } from "../../shared/log/said.ts";

/**
 * The lines, none of them said later than `now`: one from the future would hold up its neighbours, and let go of those that wait
 * for others. Throws PeerError unless each has a severity, and a time that is not before that of the one before it.
 */
export function plausible<S extends Spoken>(process: string, spoken: S, now = microseconds()): S {
  const { lines, severities, since, after } = spoken;
  if (severities.length !== lines.length || after.length !== lines.length) {
    throw new PeerError(`${process}: ${lines.length} lines without a severity or a time each`);
  }
  if (after.some((each, n) => n > 0 && each < after[n - 1]!)) {
    throw new PeerError(`${process}: lines that are not in their order`);
  }
  if (timeOf(spoken, lines.length - 1) <= now) return spoken;
  const first = Math.min(since, now);
  return {
    ...spoken,
    since: first,
    after: lines.map((_, n) => Math.min(timeOf(spoken, n), now) - first),
  };
}
