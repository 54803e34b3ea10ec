/** A nexthop as the routes name it, taken apart (reference 3b): hosts in the order in which they are tried. */

import { isIP } from "node:net";
import { normalize } from "@std/path";
import { isAscii } from "../bytes.ts";
import { PeerError } from "../errors.ts";
import { portOf } from "./port.ts";

export interface Destination {
  /** As it was written, for log lines. */
  readonly text: string;
  /** A domain, a host or an address; empty for a unix socket. */
  readonly host: string;
  readonly port: number;
  /** Ask for the domain's mail exchangers: not for `[host]`, not for LMTP. */
  readonly mx: boolean;
  /** A unix socket, for LMTP: absolute, or below queue_directory. */
  readonly path?: string;
}

/** More than this in one nexthop is a mistake. */
const MAX_DESTINATIONS = 50;

/** The destinations of a nexthop; throws PeerError that names the one it cannot read. */
export function parseNexthop(
  nexthop: string,
  lmtp: boolean,
  defaultPort: string,
): Destination[] {
  const texts = nexthop.split(/[\s,]+/).filter(Boolean).slice(0, MAX_DESTINATIONS);
  if (!texts.length) throw new PeerError("no destination");
  return texts.map((text) => parseDestination(text, lmtp, defaultPort));
}

function parseDestination(text: string, lmtp: boolean, defaultPort: string): Destination {
  if (lmtp && text.startsWith("unix:")) {
    const path = serverSocket(text.slice("unix:".length));
    if (path === undefined) throw bad(text);
    return { text, host: "", port: 0, mx: false, path };
  }
  const rest = lmtp && text.startsWith("inet:") ? text.slice("inet:".length) : text;
  const [, inBrackets, plain, port] =
    /^(?:\[(?:ipv6:)?([^\][\s]+)\]|([^\][:\s]+|[0-9a-f.]*:[0-9a-f.]*:[0-9a-f:.]*))(?::([0-9a-z-]+))?$/i
      .exec(rest) ?? [];
  const host = (inBrackets ?? plain ?? "").replace(/\.$/, "");
  if (!host) throw bad(text);
  const mx = !lmtp && inBrackets === undefined && !isIP(host);
  const number = portOf(port ?? defaultPort);
  const name = asciiDomain(host);
  if (number === undefined || name === undefined) throw bad(text);
  return { text, host: name, port: number, mx };
}

/** The path of a server's socket without detours; undefined for a directory, and for what leads out of queue_directory. */
export function serverSocket(path: string): string | undefined {
  const plain = normalize(path), [first] = plain.split("/");
  return first === "." || first === ".." || plain.endsWith("/") ? undefined : plain;
}

/** A-labels of an internationalized domain, undefined when it has none: the URL parser is the platform's own UTS 46. */
export function asciiDomain(domain: string): string | undefined {
  if (isAscii(domain)) return domain;
  const url = URL.parse(`http://${domain}/`), name = url?.hostname;
  // With any other part it was no domain.
  return url?.href === `http://${name}/` ? name : undefined;
}

function bad(text: string): PeerError {
  return new PeerError(`malformed destination "${text}"`);
}
