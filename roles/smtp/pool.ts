/** Sessions that are kept open between deliveries, by nexthop and by server: Postfix's scache, inside the process. */

import { counter } from "../../shared/counters.ts";
import type { SmtpSettings } from "../../shared/parameters/smtp.ts";
import type { Server } from "./connect.ts";
import type { Session } from "./session.ts";
import type { Sweeper } from "./sweeper.ts";

/** Idle sessions of all destinations together; beyond this the oldest goes. */
const MAX_IDLE = 500;
/** Idle sessions of one nexthop, and with one server: sites take it ill when one client holds more. */
export const MAX_IDLE_OF_ONE = 50;
/** Destinations whose last use is remembered. */
const MAX_DESTINATIONS = 10_000;

const reused = counter("smtp_sessions_reused", "deliveries that used a session again");

export class Pool {
  /** Every idle session, by `relay` of its server. */
  #ofServers = new Lists();
  /** Those with the best servers that a nexthop has now: no other may be used before these have been asked (RFC 5321 5.1). */
  #ofNexthops = new Lists();
  #count = 0;
  /** When each destination was last asked for: two deliveries in a row promise a third. */
  #asked = new Map<string, number>();
  #closed = false;

  constructor(readonly settings: SmtpSettings, readonly sweeper: Sweeper) {}

  get size(): number {
    return this.#count;
  }

  /** The session with a best server of `nexthop` that was used last, taken out of the pool. */
  take(nexthop: string): Session | undefined {
    return this.#take(this.#ofNexthops.of(nexthop));
  }

  /** The session with `server` that was used last, whatever nexthop it was for, taken out of the pool. */
  takeServer(server: Server): Session | undefined {
    return this.#take(this.#ofServers.of(server.relay));
  }

  /** Notes a delivery to `nexthop`; true when another was there so shortly before that more are likely. */
  isBusy(nexthop: string): boolean {
    const { now } = this.sweeper, last = this.#asked.get(nexthop);
    if (last === undefined && this.#asked.size >= MAX_DESTINATIONS) this.#asked.clear();
    this.#asked.set(nexthop, now);
    return last !== undefined && now - last < this.settings.cacheTimeLimit * 1000;
  }

  /** Keeps a session, or ends it; `nexthop` where its server is the best that could be used for that: see `Session.place`. */
  give(nexthop: string | undefined, session: Session, likely: boolean): void {
    if (!likely || !this.#worthKeeping(session)) return this.end(session);
    session.usedAt = this.sweeper.now;
    const ofServer = this.#ofServers.add(session.server.relay, session);
    if (nexthop !== undefined) this.#keepFor(nexthop, session);
    this.#count++;
    session.wire.onIdleEvent = () => {
      this.#remove(session);
      session.wire.destroy();
    };
    if (this.#count === 1) this.sweeper.add(this);
    if (ofServer.length > MAX_IDLE_OF_ONE) this.#discard(ofServer[0]!);
    if (this.#count > MAX_IDLE) this.#discard(this.#ofServers.first()!);
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
    for (const session of this.#ofServers.all()) this.#discard(session);
  }

  sweep(now: number): void {
    for (const session of this.#ofServers.all()) {
      if (now - session.usedAt >= this.settings.cacheTimeLimit * 1000) this.#discard(session);
    }
  }

  #take(list: readonly Session[] | undefined): Session | undefined {
    const session = list?.at(-1);
    if (!session) return undefined;
    this.#remove(session);
    reused.add();
    return session;
  }

  /** All that is kept for a nexthop is of one place: what a better server replaces can be found by its own server alone. */
  #keepFor(nexthop: string, session: Session): void {
    let others = this.#ofNexthops.of(nexthop);
    if (others && others[0]!.place < session.place) return;
    if (others && others[0]!.place > session.place) {
      for (const other of others.slice()) this.#forget(other);
      others = undefined;
    }
    session.nexthop = nexthop;
    this.#ofNexthops.add(nexthop, session);
    if (others && others.length > MAX_IDLE_OF_ONE) this.#discard(others[0]!);
  }

  #worthKeeping(session: Session): boolean {
    const { cacheOnDemand, reuseTimeLimit, reuseCountLimit, tlsConnectionReuse } = this.settings;
    return !this.#closed && cacheOnDemand && session.usable &&
      !session.wire.ended && !session.wire.unread &&
      (!session.tls || tlsConnectionReuse) &&
      this.sweeper.now - session.startedAt < reuseTimeLimit * 1000 &&
      session.uses < reuseCountLimit;
  }

  #remove(session: Session): void {
    if (!this.#ofServers.delete(session.server.relay, session)) return;
    this.#forget(session);
    session.wire.onIdleEvent = undefined;
    if (--this.#count === 0) this.sweeper.delete(this);
  }

  #forget(session: Session): void {
    if (session.nexthop !== undefined) this.#ofNexthops.delete(session.nexthop, session);
    session.nexthop = undefined;
  }

  #discard(session: Session): void {
    this.#remove(session);
    this.end(session);
  }
}

/** Sessions by a name, each list in the order of their last use; no list is empty. */
class Lists {
  #lists = new Map<string, Session[]>();

  of(name: string): readonly Session[] | undefined {
    return this.#lists.get(name);
  }

  add(name: string, session: Session): readonly Session[] {
    let list = this.#lists.get(name);
    if (!list) this.#lists.set(name, list = []);
    list.push(session);
    return list;
  }

  /** False where it was not there. */
  delete(name: string, session: Session): boolean {
    const list = this.#lists.get(name), at = list?.lastIndexOf(session) ?? -1;
    if (!list || at < 0) return false;
    list.splice(at, 1);
    if (!list.length) this.#lists.delete(name);
    return true;
  }

  /** One that was used long ago, as far as that is known without looking at all. */
  first(): Session | undefined {
    for (const [session] of this.#lists.values()) return session;
    return undefined;
  }

  /** All there are now. */
  all(): Session[] {
    return [...this.#lists.values()].flat();
  }
}
