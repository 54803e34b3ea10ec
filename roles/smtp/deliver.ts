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
  secondContentTrouble,
  SiteError,
  StaleError,
  StreamError,
  streamTrouble,
  TlsError,
  type Trouble,
} from "./trouble.ts";

const sessions = counter("smtp_sessions", "sessions opened");

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
    const alive = await this.#use(session, job, likely);
    return alive ? session.server : undefined;
  }

  async #tryAll(job: Job, likely: boolean, tried: Server | undefined): Promise<void> {
    for (const { destination, fallback } of this.#destinations(job)) {
      const found = await this.#lookup.servers(destination);
      if (!Array.isArray(found)) {
        const ours = fallback || job.request.nexthop === this.settings.relayhost;
        job.unreachable(ours ? softened(found) : found);
        if (found.final) return;
        continue;
      }
      const others = found.filter(({ address, port }) =>
        address !== tried?.address || port !== tried.port
      );
      await this.#tryServers(others, job, likely && !fallback);
      if (!job.open.length || !job.canSend) return;
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
    const { mxAddressLimit, mxSessionLimit } = this.settings;
    let used = 0;
    for (const server of servers.slice(0, mxAddressLimit)) {
      job.nextAttempt();
      const session = await this.#open(server, job);
      if (session) {
        used++;
        await this.#use(session, job, likely);
      }
      if (!job.open.length || !job.canSend || used === mxSessionLimit) return;
    }
  }

  /** A new session with a server; what went wrong is noted. */
  async #open(server: Server, job: Job): Promise<Session | undefined> {
    const level: TlsWanted = this.settings.tlsSecurityLevel || "none";
    try {
      return await this.#openWith(server, level);
    } catch (error) {
      if (!(error instanceof SiteError)) throw error;
      if (!(error instanceof TlsError) || !this.#mayGoPlain(level, job)) {
        return void job.failedRest(error.trouble);
      }
    }
    try {
      return await this.#openWith(server, "none");
    } catch (error) {
      if (!(error instanceof SiteError)) throw error;
      return void job.failedRest(error.trouble);
    }
  }

  async #openWith(server: Server, tls: TlsWanted): Promise<Session> {
    const session = await openSession(server, this.settings, this.#sweeper, tls);
    sessions.add();
    return session;
  }

  /** Opportunistic TLS that does not work is given up only for mail that has waited (reference 8.3). */
  #mayGoPlain(level: TlsWanted, job: Job): boolean {
    return level === "may" && job.age >= this.settings.minimalBackoffTime * 1000;
  }

  /** One transaction on a session, which is kept or ended after it; false when a kept session was dead already. */
  async #use(session: Session, job: Job, likely: boolean): Promise<boolean> {
    session.uses++;
    job.connected(session);
    try {
      await new Transaction(session, job, this.settings, this.#phases).run();
    } catch (error) {
      session.usable = false;
      if (error instanceof StreamError) job.failedRest(streamTrouble(error, session.server));
      else if (error instanceof NoSecondContent) {
        job.failedRest(secondContentTrouble(error, session.server));
      } else if (!(error instanceof StaleError)) throw error;
      else return false;
    } finally {
      this.pool.give(job.request.nexthop, session, likely);
    }
    return true;
  }
}

/** A relay of our own configuration that cannot be found is our mistake, and bounces nothing. */
function softened(trouble: Trouble): Trouble {
  return isSoft(trouble) ? trouble : { ...trouble, dsn: "4.3.5", site: true };
}
