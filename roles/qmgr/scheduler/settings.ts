/** What the scheduler needs to know of a transport: plain numbers, times in milliseconds. */

import type { Values } from "../../../shared/parameters/declare.ts";
import type { Feedback, qmgrParameters } from "../../../shared/parameters/qmgr.ts";

export interface TransportSettings {
  readonly initialConcurrency: number;
  /** Infinity is no limit. */
  readonly concurrencyLimit: number;
  readonly positiveFeedback: Feedback;
  readonly negativeFeedback: Feedback;
  /** 0 never gives a destination up. */
  readonly failedCohortLimit: number;
  readonly destinationRateDelay: number;
  readonly transportRateDelay: number;
  readonly recipientLimit: number;
  /** The most deliveries of the whole transport at a time. */
  readonly transportConcurrency: number;
  readonly slotCost: number;
  /** Percent. */
  readonly slotDiscount: number;
  readonly slotLoan: number;
  readonly minimumSlots: number;
  /** How long a dead destination is left alone. */
  readonly deadDestinationTime: number;
  /** How long a transport that cannot be reached is left alone. */
  readonly deadTransportTime: number;
}

/** What holds for all transports together. */
export interface SchedulerSettings {
  transport(name: string): TransportSettings;
  /** Messages in the active queue at most: one destination with a fifth of it is worth a warning. */
  readonly activeLimit: number;
  readonly clogWarnTime: number;
  /** More dead destinations than this are not remembered. */
  readonly maxDead: number;
  readonly feedbackDebug: boolean;
}

type Params = Values<typeof qmgrParameters>;

/** The settings in the typed parameters. */
export function schedulerSettings(params: Params): SchedulerSettings {
  const known = new Map<string, TransportSettings>();
  return {
    transport(name) {
      let settings = known.get(name);
      if (!settings) known.set(name, settings = transportSettings(params, name));
      return settings;
    },
    activeLimit: params.qmgrMessageActiveLimit,
    clogWarnTime: params.qmgrClogWarnTime * 1000,
    maxDead: params.qmgrMessageRecipientLimit * 2,
    feedbackDebug: params.concurrencyFeedbackDebug,
  };
}

function transportSettings(params: Params, name: string): TransportSettings {
  const local = name === "local";
  const destinationRateDelay = params.destinationRateDelay(name) * 1000;
  return {
    initialConcurrency: params.initialDestinationConcurrency(name),
    // A rate delay means one delivery at a time.
    concurrencyLimit: destinationRateDelay
      ? 1
      : local
      ? params.localDestinationConcurrencyLimit
      : params.destinationConcurrencyLimit(name),
    positiveFeedback: params.destinationConcurrencyPositiveFeedback(name),
    negativeFeedback: params.destinationConcurrencyNegativeFeedback(name),
    failedCohortLimit: params.destinationConcurrencyFailedCohortLimit(name),
    destinationRateDelay,
    transportRateDelay: params.transportRateDelay(name) * 1000,
    recipientLimit: local
      ? params.localDestinationRecipientLimit
      : params.destinationRecipientLimit(name),
    transportConcurrency: params.transportConcurrencyLimit(name),
    slotCost: params.deliverySlotCost(name),
    slotDiscount: params.deliverySlotDiscount(name),
    slotLoan: params.deliverySlotLoan(name),
    minimumSlots: params.minimumDeliverySlots(name),
    deadDestinationTime: params.minimalBackoffTime * 1000,
    deadTransportTime: params.transportRetryTime * 1000,
  };
}
