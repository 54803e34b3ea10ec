/** Every listening socket of the system: bound once, kept over reloads, handed to whoever serves it. */

import type { Host } from "../../policies/grant.ts";
import { inetName } from "../../shared/config/inet_name.ts";
import { ConfigError } from "../../shared/errors.ts";
import { interfaceAddress } from "../../shared/parameters/parsers.ts";
import { bindService } from "./directories.ts";
import { bindInet, type Handle, tryToListen } from "./handles.ts";

/** An address to listen on. */
export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

/** The addresses that an inet service's name means: `smtp`, `2525`, `127.0.0.1:2525`, `[::1]:smtp`. */
export function endpointsOf(
  name: string,
  inetInterfaces: readonly string[],
  inetProtocols: readonly string[],
): Endpoint[] {
  const inet = inetName(name);
  if (!inet) throw new ConfigError(`master.cf: ${name}: must be a port, host:port or [host]:port`);
  const { host, port } = inet;
  const interfaces = host ? [host] : inetInterfaces;
  return addresses(interfaces, inetProtocols).map((address) => ({ address, port }));
}

function addresses(interfaces: readonly string[], protocols: readonly string[]): string[] {
  const has = (word: string) => protocols.includes("all") || protocols.includes(word);
  const four = has("ipv4"), six = has("ipv6");
  return interfaces.flatMap((name) => {
    const word = name.toLowerCase();
    if (word === "all") return [...(four && !six ? ["0.0.0.0"] : []), ...(six ? ["::"] : [])];
    if (word === "loopback-only" || word === "localhost") {
      return [...(four ? ["127.0.0.1"] : []), ...(six ? ["::1"] : [])];
    }
    const address = interfaceAddress(name);
    if (!address) throw new ConfigError(`inet_interfaces: not an address: "${name}"`);
    return [address];
  });
}

/** Any address of this host. */
export const ANY: readonly string[] = ["0.0.0.0", "::"];

export class Listeners {
  #inet = new Map<string, Handle>();
  #services = new Map<string, Handle>();
  #left = new Set<string>();

  constructor(readonly queue: string, readonly host: Host) {}

  /** The handle of an inet address; bound when it is new. */
  inet(endpoint: Endpoint, what: string): Handle {
    const key = keyOf(endpoint);
    const handle = this.#inet.get(key) ??
      bindInet(endpoint.address, endpoint.port, what, this.#holderOf(endpoint));
    this.#inet.set(key, handle);
    return handle;
  }

  /** Makes sure that an inet address is free for a role that binds it by itself; asked once, later it has it. */
  leaveInet(endpoint: Endpoint, what: string): void {
    const key = keyOf(endpoint);
    if (this.#left.has(key)) return;
    tryToListen(endpoint.address, endpoint.port, what, this.#holderOf(endpoint));
    this.#left.add(key);
  }

  /** Says so where this system itself has the port: on all addresses, or on one where all are wanted. */
  #holderOf({ address, port }: Endpoint): string | undefined {
    const keys = [...this.#inet.keys(), ...this.#left];
    const key = (ANY.includes(address) ? keys : ANY.map((any) => keyOf({ address: any, port })))
      .find((each) => keys.includes(each) && each.endsWith(`]:${port}`));
    return key && `this system has ${key} until it is stopped`;
  }

  /** The handle of a service's own socket. */
  service(name: string): Handle {
    const handle = this.#services.get(name) ?? bindService(this.queue, name, this.host);
    this.#services.set(name, handle);
    return handle;
  }

  /** Closes the inet listeners that the new configuration no longer has. */
  keepOnly(endpoints: readonly Endpoint[]): void {
    const wanted = new Set(endpoints.map(keyOf));
    for (const key of this.#left) if (!wanted.has(key)) this.#left.delete(key);
    for (const [key, handle] of this.#inet) {
      if (wanted.has(key)) continue;
      handle.close();
      this.#inet.delete(key);
    }
  }

  close(): void {
    for (const handle of [...this.#inet.values(), ...this.#services.values()]) handle.close();
  }
}

/** What a listening socket is known by: two services that have the same would share it. */
export function keyOf({ address, port }: Endpoint): string {
  return `[${address}]:${port}`;
}
