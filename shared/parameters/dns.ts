/** Parameters of the dns role: all are this project's own, Postfix uses the system's resolver. */

import { int, list, text, time } from "./declare.ts";

export const dnsParameters = {
  servers: list("dns_servers", "", {
    own: true,
    doc:
      "Name servers, address or address:port; empty takes those of /etc/resolv.conf, 127.0.0.1 where it names none.",
  }),
  hosts: text("dns_hosts", "", {
    own: true,
    doc: "Lines as in /etc/hosts that are looked at first; empty takes that file.",
  }),
  timeout: time("dns_timeout", "3s", {
    own: true,
    min: 1,
    max: 30,
    doc: "How long to wait for one name server before the next is asked.",
  }),
  attempts: int("dns_attempts", "2", {
    own: true,
    min: 1,
    max: 5,
    doc: "How often each name server is asked.",
  }),
  cacheSize: int("dns_cache_size", "10000", {
    own: true,
    doc: "How many answers are remembered; fewer where they are large.",
  }),
  cacheMaxTtl: time("dns_cache_max_ttl", "1h", {
    own: true,
    doc: "Answers are remembered no longer than this, whatever their own time says.",
  }),
  negativeMaxTtl: time("dns_negative_max_ttl", "5m", {
    own: true,
    doc: "That a name does not exist is remembered no longer than this.",
  }),
};
