/** A certificate for the TLS of tests. */

import { join } from "@std/path";
import { find } from "./peers.ts";

/** Files in PEM format. */
export interface Certificate {
  readonly key: string;
  readonly chain: string;
}

/** Makes a self-signed certificate of that host in a directory; undefined where there is no openssl. */
export function certificate(directory: string, host = "localhost"): Certificate | undefined {
  const openssl = find("openssl");
  if (!openssl) return undefined;
  const key = join(directory, "key.pem"), chain = join(directory, "chain.pem");
  const { success, stderr } = new Deno.Command(openssl, {
    args: ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", `/CN=${host}`]
      .concat("-keyout", key, "-out", chain),
  }).outputSync();
  if (!success) throw new Error(`openssl: ${new TextDecoder().decode(stderr)}`);
  return { key, chain };
}
