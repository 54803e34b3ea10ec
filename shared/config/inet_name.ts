/** The name of an inet service of master.cf, which says where it listens. */

import { portOf } from "../net/port.ts";

/** `host` is empty where inet_interfaces decides. */
export interface InetName {
  readonly host: string;
  readonly port: number;
}

/** Takes `smtp`, `2525`, `127.0.0.1:2525` or `[::1]:smtp` apart; undefined for what is nothing like that. */
export function inetName(name: string): InetName | undefined {
  const [, bracketed, plain, service = ""] =
    /^(?:(?:\[([^\]\s]+)\]|([^:[\]\s]+)):)?([^:]+)$/.exec(name) ?? [];
  const port = portOf(service);
  return port === undefined ? undefined : { host: bracketed ?? plain ?? "", port };
}
