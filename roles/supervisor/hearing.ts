/**
 * Whether a service's processes still take connections. A listener that found no free descriptor once takes none ever
 * again (Deno 2.9.6), and neither tells nor stops giving signs of life: so where nobody has connected, we do.
 */

import { connect } from "node:net";
import type { Member } from "./member.ts";

/** So many heartbeats after which somebody who was knocked for has said that nobody came: one may cross with a knock. */
const KNOCKS = 2;

/** Connects to a socket, and leaves. */
export function knock(path: string): void {
  const socket = connect(path, () => socket.destroy());
  // Nobody listens, or the queue of those who wait is full: what the role says of it counts.
  socket.on("error", () => socket.destroy());
}

export class Hearing {
  /** How often each service was knocked at in vain, of those who are ready now: others do not answer for them. */
  #knocked = new Map<string, number>();
  #ready: readonly Member[] = [];

  constructor(readonly knock: (service: string) => void) {}

  /** Called at each heartbeat: which of the services nobody takes connections of. Processes of one service share its socket. */
  deafTo(services: readonly string[], members: readonly Member[]): string | undefined {
    const ready = members.filter((member) => member.state === "ready");
    if (ready.length !== this.#ready.length || ready.some((each, n) => each !== this.#ready[n])) {
      this.#ready = ready;
      this.#knocked.clear();
    }
    // One that has not answered the last heartbeat is busy, or it is stuck, and then it is killed for that.
    if (ready.some(({ quiet }) => quiet === undefined)) return undefined;
    // Each of them is counted, whichever is named.
    return services.filter((service) => this.#isDeaf(service, ready))[0];
  }

  #isDeaf(service: string, ready: readonly Member[]): boolean {
    const knocked = this.#knocked.get(service) ?? 0;
    this.#knocked.delete(service);
    if (!ready.length || !ready.every(({ quiet }) => quiet!.includes(service))) return false;
    if (knocked === KNOCKS) return true;
    this.#knocked.set(service, knocked + 1);
    this.knock(service);
    return false;
  }
}
