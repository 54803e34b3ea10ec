/** The stub resolver: hosts file, cache, one question for all who ask the same, then each name server in turn. */

import { counter } from "../../shared/counters.ts";
import { reason } from "../../shared/errors.ts";
import { seldom } from "../../shared/log/seldom.ts";
import { addressText, parseAddress } from "../../shared/net/network.ts";
import type { dnsParameters } from "../../shared/parameters/dns.ts";
import type { Values } from "../../shared/parameters/declare.ts";
import type { DnsAnswer, RecordType } from "../../shared/protocols/dns.ts";
import { AnswerCache } from "./answer_cache.ts";
import { exchange, type NameServer, type Question } from "./exchange.ts";
import { Hosts } from "./hosts.ts";
import { failure, firstStep, interpret, ownFailure, type Step } from "./interpret.ts";
import { canonical, isName, isNotUnderstood, type Message, reverseName, zoneOf } from "./packet.ts";
import { type TurnLimits, Turns } from "./turns.ts";

/**
 * More questions at once would only fill the name server's queue, and more that wait, memory. One zone whose servers are
 * slow has a part of that only: it must not keep others from their answers.
 */
const TURNS: TurnLimits = {
  running: 1000,
  runningEach: 100,
  waiting: 10_000,
  waitingEach: 1000,
  waitMs: 20_000,
};
/** A caller has given up after this (shared/protocols/dns.ts). */
const TOTAL_MS = 50_000;
const NO_SUCH_NAME = 3;

const asked = counter("dns_questions", "questions that came in");
const sent = counter("dns_exchanges", "questions sent to a name server");
const failed = counter("dns_failures", "questions that no name server answered");

export class Resolver {
  #hosts: Hosts;
  #servers: readonly NameServer[];
  #cache: AnswerCache;
  #inFlight = new Map<string, Promise<DnsAnswer>>();
  #turns = new Turns(TURNS);
  /** Whoever asks says no more than "try again": what only we can mend is said here. */
  #warn = seldom();
  /** The server that answered last is asked first. */
  #best = 0;

  /** Servers for which `mayUseUdp` is false are asked by TCP alone. */
  constructor(
    readonly params: Values<typeof dnsParameters>,
    readonly mayUseUdp: (server: NameServer) => boolean = () => true,
    readonly now: () => number = () => performance.now(),
  ) {
    this.#hosts = new Hosts(params.hosts);
    this.#cache = new AnswerCache(params.cacheSize);
    this.#servers = params.servers.map(parseServer).filter((each) => each.port > 0);
  }

  /** The answer; never throws. */
  query(name: string, type: RecordType): DnsAnswer | Promise<DnsAnswer> {
    asked.add();
    const known = this.#hosts.answer(name, type);
    if (known) return known;
    const wanted = type === "PTR" ? reverseName(name) : canonical(name);
    if (wanted === undefined || !isName(wanted)) {
      return { ...failure("malformed name"), ...NO_NAME };
    }
    const key = `${type} ${wanted}`;
    return this.#cache.get(key, this.now()) ?? this.#inFlight.get(key) ??
      this.#ask(key, wanted, type);
  }

  #ask(key: string, name: string, type: RecordType): Promise<DnsAnswer> {
    const asking = this.#inTurn({ name, type })
      .catch((error) => failure(reason(error)))
      .then((answer) => {
        this.#inFlight.delete(key);
        if (answer.own) this.#warn(`lookup of ${type} for ${name}: ${answer.text}`);
        if (answer.status === "fail") failed.add();
        else this.#remember(key, answer);
        return answer;
      });
    this.#inFlight.set(key, asking);
    return asking;
  }

  async #inTurn(question: Question): Promise<DnsAnswer> {
    const end = this.now() + TOTAL_MS, zone = zoneOf(question.name);
    const turn = this.#turns.enter(zone);
    if (turn !== true && !(await turn)) return ownFailure("too many questions at once");
    try {
      return await this.#follow(question, end);
    } finally {
      this.#turns.leave(zone);
    }
  }

  /** The answer, with a question more for each alias that comes without what it stands for. */
  async #follow({ name, type }: Question, end: number): Promise<DnsAnswer> {
    if (!this.#servers.length) return ownFailure("no name server is configured");
    for (let step = firstStep(name);;) {
      const said = await this.#askServers(step, type, end);
      if ("status" in said) return said;
      step = said;
    }
  }

  async #askServers(step: Step, type: RecordType, end: number): Promise<DnsAnswer | Step> {
    const question = { name: step.name, type };
    let why = "no answer in time";
    for (let attempt = 0; attempt < this.params.attempts; attempt++) {
      const first = this.#best;
      for (let i = 0; i < this.#servers.length; i++) {
        if (this.now() >= end) return failure(why);
        const at = (first + i) % this.#servers.length, server = this.#servers[at]!;
        try {
          const message = await this.#exchange(server, question);
          if (message.code === 0 || message.code === NO_SUCH_NAME) {
            const said = interpret(message, step, type);
            if (said && !("status" in said && said.status === "fail")) this.#best = at;
            if (said) return said;
            why = `${server.address}: no answer, and does not ask others`;
          } else why = `${server.address}: ${CODES[message.code] ?? `code ${message.code}`}`;
        } catch (error) {
          why = `${server.address}: ${reason(error)}`;
        }
      }
    }
    return failure(why);
  }

  /** With EDNS0, and without for a server that does not know it. */
  async #exchange(server: NameServer, question: Question): Promise<Message> {
    const options = { milliseconds: this.params.timeout * 1000, udp: this.mayUseUdp(server) };
    sent.add();
    const message = await exchange(server, question, { ...options, edns: true });
    if (!isNotUnderstood(message)) return message;
    sent.add();
    return await exchange(server, question, { ...options, edns: false });
  }

  #remember(key: string, answer: DnsAnswer): void {
    const { cacheMaxTtl, negativeMaxTtl } = this.params;
    const limit = answer.status === "ok" ? cacheMaxTtl : negativeMaxTtl;
    const seconds = Math.min(answer.ttl, limit);
    if (seconds > 0) this.#cache.put(key, answer, this.now() + seconds * 1000);
  }
}

/** A name that cannot exist, for whoever asks. */
const NO_NAME = { status: "nxdomain" } as const;

const CODES: Readonly<Record<number, string>> = {
  1: "format error",
  2: "server failure",
  4: "not implemented",
  5: "refused",
};

/** `1.2.3.4`, `1.2.3.4:53`, `::1`, `[::1]:53`. */
export function parseServer(text: string): NameServer {
  const bracketed = /^\[([^\]]+)\](?::([0-9]+))?$/.exec(text);
  if (bracketed) return { address: usual(bracketed[1]!), port: Number(bracketed[2] ?? 53) };
  const [address = "", port, ...more] = text.split(":");
  return more.length ? { address: usual(text), port: 53 } : { address, port: Number(port ?? 53) };
}

/** IPv6 addresses as the system writes them: the sender of a packet is compared with this. */
function usual(address: string): string {
  const bytes = parseAddress(address);
  return bytes ? addressText(bytes) : address;
}
