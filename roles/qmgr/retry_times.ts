/** When a message is tried again, and when it is given up (reference 2.5). Times in milliseconds. */

export interface RetrySettings {
  readonly minimalBackoff: number;
  readonly maximalBackoff: number;
  readonly lifetime: number;
  readonly bounceLifetime: number;
  /** 0 is never. */
  readonly delayWarning: number;
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
