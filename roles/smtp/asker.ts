/** Questions to the dns role; whatever keeps it from answering is "try again", never "no such name". */

import { reason } from "../../shared/errors.ts";
import type { Client } from "../../shared/ipc/client.ts";
import { warning } from "../../shared/log/log.ts";
import type { DnsAnswer, dnsService } from "../../shared/protocols/dns.ts";
import type { Ask } from "./lookup.ts";

export function asker(dns: Client<typeof dnsService.calls>): Ask {
  return async (name, type): Promise<DnsAnswer> => {
    try {
      return (await dns.call("query", { name: name.slice(0, 255), type })).reply;
    } catch (error) {
      warning(`lookup of ${type} for ${name}: ${reason(error)}`);
      return { status: "fail", text: reason(error), own: true, records: [], secure: false, ttl: 0 };
    }
  };
}
