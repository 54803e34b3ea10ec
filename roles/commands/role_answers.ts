/** What stubs answer where the first thing that fits the schema would mislead: the everyday case of each call. */

import type { Call } from "../../shared/ipc/declare.ts";
import type { DeliveryReply, DeliveryRequest } from "../../shared/protocols/delivery.ts";
import type { DnsAnswer, RecordType } from "../../shared/protocols/dns.ts";
import type { Resolved } from "../../shared/protocols/rewrite.ts";
import { sample } from "./role_sample.ts";

// deno-lint-ignore no-explicit-any
type Answers = Readonly<Record<string, (request: any, owner: Owner) => unknown>>;

/** Whose every mailbox is: the user that the role runs as. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

const answers: Answers = {
  "anvil.connect": () => ({ connections: 1, rate: 1 }),
  "anvil.event": () => ({ rate: 1 }),
  "cleanup.submit": () => ({ queued: true, code: 250, dsn: "2.0.0", text: "Ok" }),
  "rewrite.rewrite": ({ address }) => ({ address }),
  "rewrite.resolve": ({ address }) => resolved(address),
  "rewrite.recipient": ({ address }) => ({ resolved: resolved(address), listed: "yes" }),
  "rewrite.lookup": ({ parameter, address }, owner) => ({
    value: tables[parameter]?.(address, owner) ?? null,
    fail: false,
  }),
  "dns.query": ({ name, type }) => records(name, type),
};

/** Every address has a mailbox, and nothing is an alias. */
const tables: Readonly<Record<string, (address: string, owner: Owner) => string>> = {
  virtual_mailbox_maps: (address) => `${address.split("@")[0]}/`,
  virtual_uid_maps: (_, { uid }) => String(uid),
  virtual_gid_maps: (_, { gid }) => String(gid),
};

/** The reply of a stub to one call of a service. */
export function answerOf(
  service: string,
  name: string,
  call: Call,
  request: unknown,
  owner: Owner,
): unknown {
  const known = answers[`${service}.${name}`];
  if (known) return known(request, owner);
  // Transports have names of their own, and one call.
  return name === "deliver" ? delivered(request as DeliveryRequest) : sample(call.reply);
}

/** Every address is a mailbox here. */
function resolved(address: string): Resolved {
  return {
    transport: "virtual",
    nexthop: address.slice(address.lastIndexOf("@") + 1),
    recipient: address,
    class: "virtual",
    routed: false,
    error: false,
    fail: false,
  };
}

function delivered({ recipients }: DeliveryRequest): DeliveryReply {
  const outcome = { status: "sent", dsn: "2.0.0", text: "delivered to a stub" } as const;
  return {
    outcomes: recipients.map(({ n }) => ({ n, ...outcome, remoteMta: "", diagnostic: "" })),
    siteProblem: null,
  };
}

/** Every name is this host. */
const DATA: Partial<Record<RecordType, string>> = { A: "127.0.0.1", PTR: "localhost" };

function records(name: string, type: RecordType): DnsAnswer {
  const data = type === "MX" ? `mx.${name}`.slice(0, 255) : DATA[type];
  return {
    status: data ? "ok" : "none",
    text: data ? "" : "a stub knows no such records",
    records: data ? [{ data, preference: type === "MX" ? 10 : 0 }] : [],
    secure: false,
    ttl: 60,
  };
}
