/** One delivery: a kept session if there is one, else every server of every destination in turn, until nobody is left. */

import { counter } from "../../shared/counters.ts";
import { reason } from "../../shared/errors.ts";
import type { Content } from "../../shared/ipc/content.ts";
import type { SmtpSettings } from "../../shared/parameters/smtp.ts";
import type { DeliveryReply, DeliveryRequest } from "../../shared/protocols/delivery.ts";
import type { Server } from "./connect.ts";
import { type Destination, parseNexthop } from "../../shared/net/nexthop.ts";
import { type Again, Job, NoSecondContent } from "./job.ts";
import { type Ask, Lookup, MAX_MX_HOSTS } from "./lookup.ts";
import { Pool } from "./pool.ts";
import { openSession, type Session, type TlsWanted } from "./session.ts";
import { Sweeper } from "./sweeper.ts";
import { type Phases, phases, Transaction } from "./transaction.ts";
import {
  isSoft,
  LoopError,
  loopTrouble,
  secondContentTrouble,
  SiteError,
  StaleError,
  StreamError,
  streamTrouble,
  TlsError,
  type Trouble,
} from "./trouble.ts";

const sessions = counter("smtp_sessions", "sessions opened");

/** What became of a transaction; `stale` is a kept session that was dead already, and took nothing. */
type Use = "done" | "stale" | "tlsBroke";

/** The place of every fallback relay: what is sent there is no nexthop's own. */
const FALLBACK_PLACE = Infinity;

/** What a delivery knows on its way from server to server. */
interface Way {
  /** More mail for the nexthop is likely. */
  readonly likely: boolean;
  /** The server of the kept session that was asked first. */
  tried?: Server;
  /** Where the servers that are tried now begin, as `Session.place`. */
  place: number;
  /** The best place at which there was a server to talk to. */
  best?: number;
}

/** What came of one connection to a server. */
interface Attempt {
  /** There was a session, past its handshake. */
  readonly opened: boolean;
  readonly tlsBroke: boolean;
}

export class Deliverer {
  readonly pool: Pool;
  #sweeper = new Sweeper();
  #lookup: Lookup;
  #phases: Phases;

  constructor(
    readonly settings: SmtpSettings,
    ask: Ask,
    readonly again: Again,
    random: () => number = Math.random,
  ) {
    this.pool = new Pool(settings, this.#sweeper);
    this.#lookup = new Lookup(settings, ask, random);
    this.#phases = phases(settings);
  }

  /** Delivers; throws only when the content breaks off at first reading, and then nothing was delivered. */
  async deliver(request: DeliveryRequest, content: Content): Promise<DeliveryReply> {
    const job = new Job(request, content, this.again);
    const way: Way = {
      likely: this.pool.isBusy(request.nexthop) || request.keep,
      place: 0,
    };
    const kept = this.pool.take(request.nexthop);
    if (kept && await this.#useAgain(kept, job, way, kept.place)) way.tried = kept.server;
    if (job.open.length && job.canSend) await this.#tryAll(job, way);
    return job.finish();
  }

  /** A transaction on a kept session; undefined when it was dead. */
  async #useAgain(
    session: Session,
    job: Job,
    way: Way,
    place: number,
  ): Promise<Attempt | undefined> {
    job.nextAttempt();
    const use = await this.#use(session, job, way, place);
    return use === "stale" ? undefined : { opened: true, tlsBroke: use === "tlsBroke" };
  }

  async #tryAll(job: Job, way: Way): Promise<void> {
    let before: Destination | undefined;
    for (const [at, { destination, fallback }] of this.#destinations(job).entries()) {
      if (before && await this.#lookup.listsUs(before)) return;
      before = destination;
      way.place = fallback ? FALLBACK_PLACE : at * MAX_MX_HOSTS;
      const noWay = await this.#tryDestination(destination, job, way);
      if (noWay) {
        const ours = fallback || job.request.nexthop === this.settings.relayhost;
        job.unreachable(ours ? softened(noWay) : noWay);
      }
      if (noWay?.final || !job.open.length || !job.canSend) return;
    }
  }

  /** Tries the servers of one destination; returns why there is no way there, if there is none. */
  async #tryDestination(
    destination: Destination,
    job: Job,
    way: Way,
  ): Promise<Trouble | undefined> {
    const found = await this.#lookup.servers(destination);
    if (!Array.isArray(found)) return found;
    const others = found.filter(({ address, port }) =>
      address !== way.tried?.address || port !== way.tried.port
    );
    try {
      await this.#tryServers(others, job, way);
      return undefined;
    } catch (error) {
      if (!(error instanceof LoopError)) throw error;
      const { rank = 0, relay } = error.peer;
      return loopTrouble(job.request.nexthop, rank > 0, relay);
    }
  }

  /** The nexthop's destinations, then the fallback relays. */
  #destinations(job: Job): { destination: Destination; fallback: boolean }[] {
    const { protocol, tcpPort, fallbackRelay } = this.settings;
    const parse = (text: string, fallback: boolean) => {
      try {
        return parseNexthop(text, protocol === "lmtp", tcpPort)
          .map((destination) => ({ destination, fallback }));
      } catch (error) {
        const text = `server configuration error: ${reason(error)}`;
        job.unreachable({ dsn: "4.3.5", text, relay: "none", site: true });
        return [];
      }
    };
    return [
      ...parse(job.request.nexthop, false),
      ...fallbackRelay.flatMap((each) => parse(each, true)),
    ];
  }

  /** Tries servers in their order, within the limits of one destination. */
  async #tryServers(servers: readonly Server[], job: Job, way: Way): Promise<void> {
    const { mxSessionLimit } = this.settings;
    let used = 0;
    for (const server of servers) {
      if (await this.#tryServer(server, job, way)) used++;
      if (!job.open.length || !job.canSend || used === mxSessionLimit) return;
    }
  }

  /** Tries one server, and once more in plain text where TLS breaks; true when there was a session with it. */
  async #tryServer(server: Server, job: Job, way: Way): Promise<boolean> {
    const level: TlsWanted = this.settings.tlsSecurityLevel || "none";
    const kept = this.pool.takeServer(server), place = way.place + (server.rank ?? 0);
    const first = kept && await this.#useAgain(kept, job, way, place) ||
      await this.#attempt(server, level, job, way);
    const goesOn = job.open.length > 0 && job.canSend;
    if (!first.tlsBroke || !goesOn || !this.#mayGoPlain(level, job)) return first.opened;
    // Not kept: the next mail to come may be fresh, and has to try TLS itself.
    const second = await this.#attempt(server, "none", job, { ...way, likely: false });
    return first.opened || second.opened;
  }

  /** A new session with a server, and the transaction on it; what went wrong is noted. */
  async #attempt(server: Server, tls: TlsWanted, job: Job, way: Way): Promise<Attempt> {
    job.nextAttempt();
    let session: Session;
    try {
      session = await openSession(server, this.settings, this.#sweeper, tls);
    } catch (error) {
      if (!(error instanceof SiteError)) throw error;
      job.failedRest(error.trouble);
      return { opened: false, tlsBroke: error instanceof TlsError };
    }
    sessions.add();
    const use = await this.#use(session, job, way, way.place + (server.rank ?? 0));
    return { opened: true, tlsBroke: use === "tlsBroke" };
  }

  /** Opportunistic TLS that breaks is given up for mail that has waited, and where nobody tries again (reference 8.3). */
  #mayGoPlain(level: TlsWanted, job: Job): boolean {
    const hasWaited = job.isVerified || job.age >= this.settings.minimalBackoffTime * 1000;
    return level === "may" && hasWaited;
  }

  /** One transaction on a session, which is kept or ended after it. */
  async #use(session: Session, job: Job, way: Way, place: number): Promise<Use> {
    session.uses++;
    session.place = place;
    job.connected(session);
    try {
      await new Transaction(session, job, this.settings, this.#phases).run();
    } catch (error) {
      session.usable = false;
      if (error instanceof StaleError) return "stale";
      if (error instanceof NoSecondContent) {
        job.failedRest(secondContentTrouble(error, session.server));
      } else if (error instanceof StreamError) {
        job.failedRest(streamTrouble(error, session.server));
        // After the end of data the server may have taken it: not again at once.
        const mayHave = error.phase === this.#phases.end.name;
        if (session.tls && !session.leaving && !mayHave) return "tlsBroke";
      } else throw error;
    } finally {
      const isBest = place <= (way.best ?? place) && place !== FALLBACK_PLACE;
      this.pool.give(isBest ? job.request.nexthop : undefined, session, way.likely);
    }
    way.best = Math.min(place, way.best ?? place);
    return "done";
  }
}

/** A relay of our own configuration that cannot be found is our mistake, and bounces nothing. */
function softened(trouble: Trouble): Trouble {
  return isSoft(trouble) ? trouble : { ...trouble, dsn: "4.3.5", site: true };
}
