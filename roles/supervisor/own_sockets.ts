/**
 * Sockets that roles in workers bind by themselves, because no handle can be given to a worker. A role binds a name of its
 * own; when it listens there, the supervisor moves the socket into its place. So a reload refuses nobody, a replacement
 * that does not start leaves the old socket where it is, and no role needs the right to the place itself.
 */

import { join } from "@std/path";
import type { Host, User } from "../../policies/grant.ts";
import { bindDirectory } from "../../shared/layout.ts";
import type { Bind } from "../../shared/role/control_messages.ts";
import { clearPlace, clearSocket, makeOwned, placeSocket } from "./directories.ts";
import type { Endpoint } from "./listeners.ts";

/** What one process is to bind, and what happens when it listens. */
export interface OwnSockets {
  readonly binds: readonly Bind[];
  /** Throws when a socket that should be there is not; called once. */
  listening(): void;
}

/** The sockets that the n-th process binds. */
export function bindsOf(
  queue: string,
  services: readonly string[],
  endpoints: readonly Endpoint[],
  n: number,
): Bind[] {
  return [
    ...services.map((answers) => {
      const path = join(bindDirectory(queue, answers), String(n));
      return { answers, path, address: "", port: 0 };
    }),
    ...endpoints.map((endpoint) => ({ answers: "", path: "", ...endpoint })),
  ];
}

export class OwnSocketPlaces {
  #cleared = new Set<string>();
  #next = 1;

  constructor(readonly queue: string, readonly host: Host) {}

  /**
   * Names for the next process that answers these services and endpoints; `user` is who it runs as. Throws when no room can
   * be made for them; it can be asked again.
   */
  next(
    services: readonly string[],
    endpoints: readonly Endpoint[],
    user: User | null,
  ): OwnSockets {
    const n = this.#next++;
    for (const service of services) this.#prepare(service, user);
    const binds = bindsOf(this.queue, services, endpoints, n);
    // The last process of this service may have thought of the next one.
    for (const { path } of binds) if (path) clearPlace(path);
    return {
      binds,
      listening: () => {
        for (const { answers, path } of binds) {
          if (path) placeSocket(this.queue, answers, path, this.host);
        }
      },
    };
  }

  /** Once a start: sockets of a former one are removed, so that nobody connects to them. */
  #prepare(service: string, user: User | null): void {
    if (this.#cleared.has(service)) return;
    const directory = bindDirectory(this.queue, service);
    clearSocket(this.queue, service, this.host);
    clearPlace(directory);
    makeOwned(directory, user);
    this.#cleared.add(service);
  }
}
