/** Sessions that are kept open between deliveries to one nexthop: Postfix's scache, inside the process. */

import { counter } from "../../shared/counters.ts";
import type { SmtpSettings } from "../../shared/parameters/smtp.ts";
import type { Session } from "./session.ts";
import type { Sweeper } from "./sweeper.ts";

/** Idle sessions of all destinations together; beyond this the oldest goes. */
const MAX_IDLE = 500;
/** Destinations whose last use is remembered. */
const MAX_DESTINATIONS = 10_000;

const reused = counter("smtp_sessions_reused", "deliveries that used a session again");

export class Pool {
  #idle = new Map<string, Session[]>();
  #count = 0;
  /** When each destination was last asked for: two deliveries in a row promise a third. */
  #asked = new Map<string, number>();
  #closed = false;

  constructor(readonly settings: SmtpSettings, readonly sweeper: Sweeper) {}

  get size(): number {
    return this.#count;
  }

  /** The session that was used last, taken out of the pool; also notes that there is mail for `nexthop`. */
  take(nexthop: string): Session | undefined {
    const session = this.#idle.get(nexthop)?.at(-1);
    if (!session) return undefined;
    this.#remove(nexthop, session);
    reused.add();
    return session;
  }

  /** Notes a delivery to `nexthop`; true when another was there so shortly before that more are likely. */
  isBusy(nexthop: string): boolean {
    const { now } = this.sweeper, last = this.#asked.get(nexthop);
    if (last === undefined && this.#asked.size >= MAX_DESTINATIONS) this.#asked.clear();
    this.#asked.set(nexthop, now);
    return last !== undefined && now - last < this.settings.cacheTimeLimit * 1000;
  }

  /** Keeps a session for the next delivery, or ends it. */
  give(nexthop: string, session: Session, likely: boolean): void {
    if (!likely || !this.#worthKeeping(session)) return this.end(session);
    session.usedAt = this.sweeper.now;
    let idle = this.#idle.get(nexthop);
    if (!idle) this.#idle.set(nexthop, idle = []);
    idle.push(session);
    this.#count++;
    session.wire.onIdleEvent = () => {
      this.#remove(nexthop, session);
      session.wire.destroy();
    };
    if (this.#count === 1) this.sweeper.add(this);
    if (this.#count > MAX_IDLE) this.#endOldest();
  }

  /** Ends a session in good order, or at once when it is out of step. */
  end(session: Session): void {
    const { wire } = session, { quitTimeout, skipQuitResponse } = this.settings;
    if (wire.ended || !session.usable) return wire.destroy();
    wire.quit(skipQuitResponse ? undefined : { name: "sending QUIT", seconds: quitTimeout });
  }

  /** Nothing is kept any more. */
  close(): void {
    this.#closed = true;
    for (const [nexthop, idle] of this.#idle) {
      for (const session of idle.slice()) {
        this.#remove(nexthop, session);
        this.end(session);
      }
    }
  }

  sweep(now: number): void {
    for (const [nexthop, idle] of this.#idle) {
      for (const session of idle.slice()) {
        if (now - session.usedAt < this.settings.cacheTimeLimit * 1000) continue;
        this.#remove(nexthop, session);
        this.end(session);
      }
    }
  }

  #worthKeeping(session: Session): boolean {
    const { cacheOnDemand, reuseTimeLimit, reuseCountLimit, tlsConnectionReuse } = this.settings;
    return !this.#closed && cacheOnDemand && session.usable &&
      !session.wire.ended && !session.wire.unread &&
      (!session.tls || tlsConnectionReuse) &&
      this.sweeper.now - session.startedAt < reuseTimeLimit * 1000 &&
      session.uses < reuseCountLimit;
  }

  #remove(nexthop: string, session: Session): void {
    const idle = this.#idle.get(nexthop), at = idle?.lastIndexOf(session) ?? -1;
    if (!idle || at < 0) return;
    idle.splice(at, 1);
    if (!idle.length) this.#idle.delete(nexthop);
    session.wire.onIdleEvent = undefined;
    if (--this.#count === 0) this.sweeper.delete(this);
  }

  #endOldest(): void {
    for (const [nexthop, idle] of this.#idle) {
      const session = idle[0]!;
      this.#remove(nexthop, session);
      return this.end(session);
    }
  }
}
