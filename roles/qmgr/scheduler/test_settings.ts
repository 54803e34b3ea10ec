/** Settings of a transport as they are by default, for tests. */

import type { SchedulerSettings, TransportSettings } from "./settings.ts";

const DEFAULTS: TransportSettings = {
  initialConcurrency: 2,
  concurrencyLimit: 20,
  positiveFeedback: { amount: 1, over: "one" },
  negativeFeedback: { amount: 1, over: "one" },
  failedCohortLimit: 1,
  destinationRateDelay: 0,
  transportRateDelay: 0,
  recipientLimit: 50,
  transportConcurrency: 500,
  slotCost: 5,
  slotDiscount: 50,
  slotLoan: 3,
  minimumSlots: 3,
  deadDestinationTime: 300_000,
  deadTransportTime: 60_000,
};

export function testSettings(part: Partial<TransportSettings> = {}): TransportSettings {
  return { ...DEFAULTS, ...part };
}

/** The same for a whole scheduler; every transport has `part`, unless `others` names it. */
export function testScheduler(
  part: Partial<TransportSettings> = {},
  others: Record<string, Partial<TransportSettings>> = {},
): SchedulerSettings {
  return {
    transport: (name) => testSettings(others[name] ?? part),
    activeLimit: 20_000,
    clogWarnTime: 300_000,
    maxDead: 40_000,
    feedbackDebug: false,
  };
}
