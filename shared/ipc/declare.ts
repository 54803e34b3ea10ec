/**
 * What a service answers, declared once: the types of caller and handler are inferred from it, and every message is
 * checked against it on arrival (DESIGN 4).
 */

import type { Static, TSchema } from "./schema.ts";

/** One call: what is asked, what is answered, and which way content flows beside it. */
export interface Call<Q extends TSchema = TSchema, R extends TSchema = TSchema> {
  readonly request: Q;
  readonly reply: R;
  /** The caller streams bytes after the request. */
  readonly contentIn?: boolean;
  /** The answerer streams bytes after the reply. */
  readonly contentOut?: boolean;
  /** The caller tells when it has made the reply durable; the answerer's `settled` waits for it. */
  readonly settles?: boolean;
  /**
   * The caller gives up after this long without a reply, since the call or since the last content that it could send; 0 waits
   * as long as the connection lives.
   */
  readonly deadlineSeconds: number;
  /** The longest JSON header of a request or reply; default `MAX_HEADER_BYTES`. */
  readonly headerBytes?: number;
}

export type Calls = Record<string, Call>;

/** A named service and its calls. */
export interface Service<C extends Calls = Calls> {
  readonly name: string;
  readonly calls: C;
}

export type RequestOf<C extends Calls, N extends keyof C> = Static<C[N]["request"]>;
export type ReplyOf<C extends Calls, N extends keyof C> = Static<C[N]["reply"]>;

/** Declares a service; `name` is its socket's directory and its name in the policy table. */
export function service<const C extends Calls>(name: string, calls: C): Service<C> {
  return { name, calls };
}

/** Declares a call; only here to infer the schemas' types. */
export function call<Q extends TSchema, R extends TSchema>(declaration: Call<Q, R>): Call<Q, R> {
  return declaration;
}

/** A header beyond this ends the connection: an attacker would fill memory before any check. */
export const MAX_HEADER_BYTES = 64 * 1024;
/** The headers of calls that carry a whole envelope: about 50,000 recipients. */
export const ENVELOPE_HEADER_BYTES = 16 * 1024 * 1024;
