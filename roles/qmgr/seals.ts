/**
 * Seals: qmgr's mark on what it handed to a delivery agent. An agent that says later what became of recipients, maybe to
 * a restarted qmgr, or asks for their content, shows it; without one it could speak for anybody's mail, for queue ids
 * can be guessed.
 */

import { createHmac, hash } from "node:crypto";
import { join } from "@std/path";
import { PeerError, reason, StorageError } from "../../shared/errors.ts";
import { type Handed, SEAL_CHARS } from "../../shared/protocols/delivery.ts";

const KEY_BYTES = 32;

export class Seals {
  /** In hexadecimal. */
  readonly #key: string;

  constructor(key: Uint8Array) {
    this.#key = key.toHex();
  }

  /** With the key of this queue, made when there is none. Throws StorageError. */
  static open(directory: string): Seals {
    const path = join(directory, "seal.key");
    try {
      return new Seals(readKey(path) ?? makeKey(path));
    } catch (error) {
      throw new StorageError(`${path}: ${reason(error)}`);
    }
  }

  /** The seal of recipients of one message, by their numbers. */
  of(queueId: string, recipients: readonly number[]): string {
    const digest = hash("sha256", `${this.#key} ${queueId} ${recipients.join(" ")}`, "hex");
    // A whole digest could be carried on to one of a longer text without the key; half of it cannot, and is quicker than HMAC.
    return digest.slice(0, SEAL_CHARS);
  }

  /** Throws PeerError when these recipients were not handed to whoever shows the seal. */
  check({ queueId, recipients, seal }: Handed): void {
    if (this.of(queueId, recipients) === seal) return;
    throw new PeerError(`${queueId}: these recipients were not handed over with this seal`);
  }

  /** A source (see `Source`) that nobody can name before us: whoever did would suppress the submission. */
  source(text: string): string {
    return createHmac("sha256", this.#key).update(text).digest("hex");
  }
}

/** Undefined when it is not there, or not whole: whoever wrote it died, and nobody has a seal of it. */
function readKey(path: string): Uint8Array | undefined {
  try {
    const bytes = Deno.readFileSync(path);
    return bytes.length === KEY_BYTES ? bytes : undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

function makeKey(path: string): Uint8Array {
  const bytes = crypto.getRandomValues(new Uint8Array(KEY_BYTES));
  Deno.writeFileSync(path, bytes, { mode: 0o600 });
  return bytes;
}
