/** How a call fails: a code that says what to do, and a text for the log. */

import { Compile } from "typebox/schema";
import { utf8Bytes } from "../bytes.ts";
import { BugError, FullError, PeerError, StorageError } from "../errors.ts";
import { TooLong } from "./content.ts";
import { line, shape, Type } from "./schema.ts";

/**
 * `unavailable`: the answerer cannot be reached or went away. `deadline`: it did not answer in time. `storage`: its disk or
 * tables cannot be used now; `full`: for want of room. `refused`: it does not accept this request. `bug`: it broke. All mean "later" to a client.
 */
export type FailureCode = "unavailable" | "deadline" | "storage" | "full" | "refused" | "bug";

/** What every failed call throws. */
export class CallError extends PeerError {
  override name = "CallError";
  constructor(readonly code: FailureCode, message: string) {
    super(message);
  }
}

const Failure = Compile(shape({
  code: Type.Enum(["storage", "full", "refused", "bug"]),
  text: line(500),
}));

const CONTROL = /[^ -~]/g;

/** The header of an ERROR frame for what a handler threw. */
export function encodeFailure(error: unknown): Uint8Array {
  const code = error instanceof FullError
    ? "full"
    : error instanceof StorageError
    ? "storage"
    : error instanceof PeerError || error instanceof TooLong
    ? "refused"
    : "bug";
  const text = (error instanceof Error ? error.message : String(error)).replace(CONTROL, "?");
  return utf8Bytes(JSON.stringify({ code, text: text.slice(0, 500) }));
}

/** The error that an ERROR frame stands for. */
export function decodeFailure(service: string, header: Uint8Array): CallError {
  let failure: unknown;
  try {
    failure = JSON.parse(new TextDecoder().decode(header));
  } catch {
    // Checked below, like everything else that is not a failure.
  }
  if (Failure.Check(failure)) return new CallError(failure.code, `${service}: ${failure.text}`);
  return new CallError("bug", `${service}: malformed failure`);
}

/** True for a fault in our own code rather than in the world. */
export function isBug(error: unknown): boolean {
  return error instanceof BugError ||
    !(error instanceof PeerError || error instanceof StorageError || error instanceof TooLong);
}
