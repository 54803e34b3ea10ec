/** Limits on what one client may do, counted by anvil (reference 3.2). Clients of our own networks are not counted. */

import { warning } from "../../shared/log/log.ts";
import type { EventKind } from "./services.ts";
import type { Session } from "./session.ts";

/** A connection began: false when this client has too many, or too often. */
export async function connectionAllowed(session: Session): Promise<boolean> {
  const { connectionCountLimit, connectionRateLimit } = session.settings;
  if (connectionCountLimit === Infinity && connectionRateLimit === Infinity) return true;
  const { connections, rate, disconnect } = await session.services.anvil.connect(session.network);
  session.uncount = disconnect;
  if (connections > connectionCountLimit) {
    return exceeded(session, "Connection concurrency", connections);
  }
  if (rate > connectionRateLimit) {
    return exceeded(session, "Connection rate", rate);
  }
  return true;
}

/** True at once when there is no limit, so that ordinary mail waits for nothing. */
export function eventAllowed(session: Session, kind: EventKind): true | Promise<boolean> {
  const [limit, what] = limitOf(session, kind);
  if (limit === Infinity || session.settings.uncounted(session.peer.address)) return true;
  return session.services.anvil.event(session.network, kind)
    .then((rate) => rate <= limit || exceeded(session, what, rate));
}

function limitOf({ settings }: Session, kind: EventKind): [limit: number, what: string] {
  switch (kind) {
    case "message":
      return [settings.messageRateLimit, "Message delivery request rate"];
    case "recipient":
      return [settings.recipientRateLimit, "Recipient address rate"];
    case "newtls":
      return [settings.newTlsSessionRateLimit, "New TLS session rate"];
  }
}

function exceeded({ clientName, peer, service }: Session, what: string, count: number): false {
  warning(
    `${what} limit exceeded: ${count} from ${clientName}[${peer.address}] for service ${service}`,
  );
  return false;
}
