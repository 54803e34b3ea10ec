/** Headers in and out: JSON, checked against what the service declares. */

import { Compile } from "typebox/schema";
import type { TSchema } from "./schema.ts";
import { utf8Bytes, utf8Text } from "../bytes.ts";
import { PeerError } from "../errors.ts";
import { type Calls, MAX_HEADER_BYTES, type Service } from "./declare.ts";
import { Kind } from "./frame.ts";

/** A compiled check, made when first needed: a role pays only for what it uses. */
export class Checker {
  #compiled: { Check(value: unknown): boolean } | undefined;

  constructor(readonly schema: TSchema, readonly what: string) {}

  /** The value in a header; throws PeerError unless it has exactly the declared shape. */
  decode(header: Uint8Array): unknown {
    this.#compiled ??= Compile(this.schema);
    let value: unknown;
    try {
      value = JSON.parse(utf8Text(header));
    } catch {
      throw new PeerError(`${this.what}: not JSON`);
    }
    if (!this.#compiled.Check(value)) {
      throw new PeerError(`${this.what}: not of the declared shape`);
    }
    return value;
  }
}

export function encodeHeader(value: unknown): Uint8Array {
  return utf8Bytes(JSON.stringify(value));
}

/** The calls of a service by their number on the wire, with their checks. */
export function callTable<C extends Calls>(service: Service<C>) {
  return Object.entries(service.calls).map(([name, call]) => ({
    name,
    call,
    request: new Checker(call.request, `${service.name}.${name} request`),
    reply: new Checker(call.reply, `${service.name}.${name} reply`),
  }));
}

/** The header limit of each frame of a service. */
export function headerLimit<C extends Calls>(service: Service<C>) {
  const limits = Object.values(service.calls).map((call) => call.headerBytes ?? MAX_HEADER_BYTES);
  return (call: number, kind: number): number => {
    const limit = limits[call];
    if (limit === undefined) throw new PeerError(`${service.name}: no call ${call}`);
    return kind === Kind.REQUEST || kind === Kind.REPLY ? limit : kind === Kind.ERROR ? 4096 : 0;
  };
}
