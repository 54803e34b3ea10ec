/** Every service by its name, for those who look at all of them: stubs, and people who call a role by hand. */

import type { Service } from "../ipc/declare.ts";
import { anvilService } from "./anvil.ts";
import { bounceService } from "./bounce.ts";
import { cleanupService } from "./cleanup.ts";
import { deliveryService } from "./delivery.ts";
import { dnsService } from "./dns.ts";
import { logService } from "./log.ts";
import { pickupService } from "./pickup.ts";
import { intakeService, outcomesService, queueService, showqService } from "./queue.ts";
import { rewriteService } from "./rewrite.ts";

const services: readonly Service[] = [
  anvilService,
  bounceService,
  cleanupService,
  dnsService,
  intakeService,
  logService,
  outcomesService,
  pickupService,
  queueService,
  rewriteService,
  showqService,
];

/** The service of this name; any other name is a transport's. */
export function serviceNamed(name: string): Service {
  return services.find((each) => each.name === name) ?? deliveryService(name);
}
