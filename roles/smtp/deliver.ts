/** One delivery: a kept session if there is one, else every server of every destination in turn, until nobody is left. */

import { counter } from "../../shared/counters.ts";
import { reason } from "../../shared/errors.ts";
import type { Content } from "../../shared/ipc/content.ts";
import type { SmtpSettings } from "../../shared/parameters/smtp.ts";
import type { DeliveryReply, DeliveryRequest } from "../../shared/protocols/delivery.ts";
import type { Server } from "./connect.ts";
import { type Destination, parseNexthop } from "../../shared/net/nexthop.ts";
import { type Again, Job, NoSecondContent } from "./job.ts";
import { type Ask, Lookup } from "./lookup.ts";
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
    const likely = this.pool.isBusy(request.nexthop) || request.keep;
    const tried = await this.#reuse(job, likely);
    if (job.open.length && job.canSend) await this.#tryAll(job, likely, tried);
    return job.finish();
  }

  /** Uses a kept session; returns the server, if it has been asked. */
  async #reuse(job: Job, likely: boolean): Promise<Server | undefined> {
    const session = this.pool.take(job.request.nexthop);
    if (!session) return undefined;
    job.nextAttempt();
    const use = await this.#use(session, job, likely);
    return use === "stale" ? undefined : session.server;
  }

  async #tryAll(job: Job, likely: boolean, tried: Server | undefined): Promise<void> {
    let before: Destination | undefined;
    for (const { destination, fallback } of this.#destinations(job)) {
      if (before && await this.#lookup.listsUs(before)) return;
      before = destination;
      const noWay = await this.#tryDestination(destination, job, likely && !fallback, tried);
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
    likely: boolean,
    tried: Server | undefined,
  ): Promise<Trouble | undefined> {
    const found = await this.#lookup.servers(destination);
    if (!Array.isArray(found)) return found;
    const others = found.filter(({ address, port }) =>
      address !== tried?.address || port !== tried.port
    );
    try {
      await this.#tryServers(others, job, likely);
      return undefined;
    } catch (error) {
      if (!(error instanceof LoopError)) throw error;
      const { hasBetter = false, relay } = error.peer;
      return loopTrouble(job.request.nexthop, hasBetter, relay);
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
  async #tryServers(servers: readonly Server[], job: Job, likely: boolean): Promise<void> {
    const { mxSessionLimit } = this.settings;
    let used = 0;
    for (const server of servers) {
      if (await this.#tryServer(server, job, likely)) used++;
      if (!job.open.length || !job.canSend || used === mxSessionLimit) return;
    }
  }

  /** Tries one server, and once more in plain text where TLS breaks; true when there was a session with it. */
  async #tryServer(server: Server, job: Job, likely: boolean): Promise<boolean> {
    const level: TlsWanted = this.settings.tlsSecurityLevel || "none";
    const first = await this.#attempt(server, level, job, likely);
    const goesOn = job.open.length > 0 && job.canSend;
    if (!first.tlsBroke || !goesOn || !this.#mayGoPlain(level, job)) return first.opened;
    // Not kept: the next mail to come may be fresh, and has to try TLS itself.
    const second = await this.#attempt(server, "none", job, false);
    return first.opened || second.opened;
  }

  /** A new session with a server, and the transaction on it; what went wrong is noted. */
  async #attempt(server: Server, tls: TlsWanted, job: Job, likely: boolean): Promise<Attempt> {
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
    return { opened: true, tlsBroke: await this.#use(session, job, likely) === "tlsBroke" };
  }

  /** Opportunistic TLS that breaks is given up for mail that has waited, and where nobody tries again (reference 8.3). */
  #mayGoPlain(level: TlsWanted, job: Job): boolean {
    const hasWaited = job.isVerified || job.age >= this.settings.minimalBackoffTime * 1000;
    return level === "may" && hasWaited;
  }

  /** One transaction on a session, which is kept or ended after it. */
  async #use(session: Session, job: Job, likely: boolean): Promise<Use> {
    session.uses++;
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
      this.pool.give(job.request.nexthop, session, likely);
    }
    return "done";
  }
}

/** A relay of our own configuration that cannot be found is our mistake, and bounces nothing. */
function softened(trouble: Trouble): Trouble {
  return isSoft(trouble) ? trouble : { ...trouble, dsn: "4.3.5", site: true };
}
