/**
 * dns - find names and addresses for the other roles.
 *
 * A stub resolver: asks the configured name servers, remembers what they say
 * for as long as they say, and tells "there is none" from "nobody answered".
 *
 * Trusts   an answer only from the server that was asked, to the question that was asked; all of it is checked again.
 * Talks to the configured name servers; answers dns.
 * Keeps    a cache, in memory.
 * Fails    servers that do not answer make a lookup fail for now: mail waits, nothing bounces.
 */

import { isIPv6 } from "node:net";
import { warning } from "../../shared/log/log.ts";
import { answer } from "../../shared/ipc/server.ts";
import { dnsParameters } from "../../shared/parameters/dns.ts";
import { dnsService } from "../../shared/protocols/dns.ts";
import { role } from "../../shared/role/role.ts";
import type { NameServer } from "./exchange.ts";
import { Resolver } from "./resolver.ts";

role({
  name: "dns",
  parameters: dnsParameters,
  start({ params }) {
    const resolver = new Resolver(params, udpRight());
    return {
      answers: [
        answer(dnsService, {
          query: ({ name, type }) => Promise.resolve(resolver.query(name, type)),
        }),
      ],
    };
  },
});

/**
 * Answers by UDP need the right to a port of our own, any port: without it the runtime would end this process, so such
 * servers are asked by TCP alone.
 */
function udpRight(): (server: NameServer) => boolean {
  const has = (host: string) => {
    const { state } = Deno.permissions.querySync({ name: "net", host });
    if (state !== "granted") warning(`no right to receive UDP at ${host}: TCP alone is used there`);
    return state === "granted";
  };
  const four = has("0.0.0.0:0");
  let six: boolean | undefined;
  return ({ address }) => isIPv6(address) ? six ??= has("[::]:0") : four;
}
