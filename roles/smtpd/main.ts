/**
 * smtpd - take mail from clients over SMTP.
 *
 * Speaks with every client in a session of its own, decides at RCPT who may send to whom, and hands each message to
 * cleanup. A client hears 250 only after the message is on disk.
 *
 * Trusts   nothing that a client says.
 * Talks to rewrite, cleanup, dns, anvil; to clients by listeners that it is handed.
 * Keeps    nothing: a message that is not accepted is still the client's.
 * Fails    with 4xx: whatever cannot be asked now can be asked later.
 */

import type { Socket } from "node:net";
import { warning } from "../../shared/log/log.ts";
import { smtpdParameters } from "../../shared/parameters/smtpd.ts";
import { anvilService } from "../../shared/protocols/anvil.ts";
import { cleanupService } from "../../shared/protocols/cleanup.ts";
import { dnsService } from "../../shared/protocols/dns.ts";
import { bodiesService } from "../../shared/protocols/queue.ts";
import { rewriteService } from "../../shared/protocols/rewrite.ts";
import { role } from "../../shared/role/role.ts";
import { services } from "./remote_services.ts";
import { Reception } from "./reception.ts";
import { settings } from "./settings.ts";
import { TlsServer } from "./socket.ts";

role({
  name: "smtpd",
  parameters: smtpdParameters,
  start({ service, params, tls, client }) {
    const level = params.tlsSecurityLevel;
    if ((level === "may" || level === "encrypt") && !tls) {
      warning("smtpd_tls_security_level is set, but there is no certificate: no STARTTLS");
    }
    const reception = new Reception({
      service,
      settings: settings(params, tls !== null),
      services: services(
        {
          cleanup: client(cleanupService),
          bodies: client(bodiesService),
          rewrite: client(rewriteService),
          dns: client(dnsService),
          anvil: client(anvilService),
        },
        service,
        params.peernameLookup,
      ),
      tls: tls ? new TlsServer(tls, params.starttlsTimeout) : undefined,
    });
    return {
      accept: (socket: Socket) => reception.accept(socket),
      drain: () => reception.drain(),
      stop: (ms) => reception.stop(ms),
      busy: () => reception.sessions > 0,
    };
  },
});
