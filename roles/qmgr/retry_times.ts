/** When a message is tried again, and when it is given up (reference 2.5). Times in milliseconds. */

export interface RetrySettings {
  readonly minimalBackoff: number;
  readonly maximalBackoff: number;
  readonly lifetime: number;
  readonly bounceLifetime: number;
  /** 0 is never. */
  readonly delayWarning: number;
}

/** A message's time of arrival may be so much later than now: somebody set the clock back meanwhile. */
const AHEAD_MS = 5 * 60_000;
/** It may always be so long ago: a session lasts, mail waits in the maildrop. */
const BEFORE_MS = 24 * 3_600_000;

/**
 * The time of arrival that a message is given which says it came at `arrived`: none that keeps it for ever, and none before
 * which mail of today would have been given up.
 */
export function believedArrival(
  arrived: number,
  now: number,
  { lifetime, bounceLifetime }: Pick<RetrySettings, "lifetime" | "bounceLifetime">,
): number {
  const before = Math.max(lifetime, bounceLifetime, BEFORE_MS);
  return Math.min(Math.max(arrived, now - before, 0), now + AHEAD_MS);
}

/** The time of the next attempt: the pause is the message's age, within bounds, so that it about doubles each time. */
export function nextTry(arrived: number, now: number, settings: RetrySettings): number {
  const age = Math.max(0, now - arrived);
  return now + Math.min(Math.max(age, settings.minimalBackoff), settings.maximalBackoff);
}

/** When delivery is no longer tried. */
export function expiry(arrived: number, sender: string, settings: RetrySettings): number {
  return arrived +
    (sender ? settings.lifetime : Math.min(settings.bounceLifetime, settings.lifetime));
}

/** True when the sender should hear that the message is delayed. */
export function isDelayed(arrived: number, now: number, settings: RetrySettings): boolean {
  return settings.delayWarning > 0 && now - arrived >= settings.delayWarning;
}
