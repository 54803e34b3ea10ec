/** Every service by its name, for those who look at all of them: stubs, and people who call a role by hand. */

import type { Service } from "../ipc/declare.ts";
import * as anvil from "./anvil.ts";
import * as bounce from "./bounce.ts";
import * as cleanup from "./cleanup.ts";
import { deliveryService } from "./delivery.ts";
import * as dns from "./dns.ts";
import * as log from "./log.ts";
import * as pickup from "./pickup.ts";
import * as queue from "./queue.ts";
import * as rewrite from "./rewrite.ts";

/** Every service that has a name of its own. */
export const services: readonly Service[] = [
  anvil,
  bounce,
  cleanup,
  dns,
  log,
  pickup,
  queue,
  rewrite,
]
  .flatMap((module) => Object.values<unknown>({ ...module })).filter(isService);

function isService(value: unknown): value is Service {
  return typeof value === "object" && value !== null && "name" in value && "calls" in value;
}

/** The service of this name; any other name is a transport's. */
export function serviceNamed(name: string): Service {
  return services.find((each) => each.name === name) ?? deliveryService(name);
}
