/** The parameters as each part of qmgr reads them: plain values, times in milliseconds. */

import type { Values } from "../../shared/parameters/declare.ts";
import type { qmgrParameters } from "../../shared/parameters/qmgr.ts";
import type { ActiveLimits } from "./active_queue.ts";
import type { IntakeLimits } from "./intake.ts";
import type { RetrySettings } from "./retry_times.ts";
import type { RouterSettings } from "./router.ts";
import { schedulerSettings } from "./scheduler/settings.ts";

export type Params = Values<typeof qmgrParameters>;

export { schedulerSettings };

export function retrySettings(params: Params): RetrySettings {
  return {
    minimalBackoff: params.minimalBackoffTime * 1000,
    maximalBackoff: params.maximalBackoffTime * 1000,
    lifetime: params.maximalQueueLifetime * 1000,
    bounceLifetime: params.bounceQueueLifetime * 1000,
    delayWarning: params.delayWarningTime * 1000,
  };
}

export function routerSettings(params: Params): RouterSettings {
  const scheduler = schedulerSettings(params);
  return {
    deferTransports: new Set(params.deferTransports),
    doubleBounceSender: params.doubleBounceSender,
    recipientDelimiter: params.recipientDelimiter,
    isPerRecipient: (transport) => scheduler.transport(transport).recipientLimit === 1,
  };
}

export function activeLimits(params: Params): ActiveLimits {
  return {
    messages: params.qmgrMessageActiveLimit,
    recipients: params.qmgrMessageRecipientLimit,
    recipientMinimum: params.qmgrMessageRecipientMinimum,
  };
}

export function intakeLimits(params: Params): IntakeLimits {
  return {
    messageSize: params.messageSizeLimit,
    files: params.qmgrContentFileLimit,
    lifetimes: retrySettings(params),
  };
}

export function spaceLimits(params: Params): { minimum: number; messageSize: number } {
  const { queueMinfree: minimum, messageSizeLimit } = params;
  // Room for the largest message is asked for where there is a largest.
  return { minimum, messageSize: messageSizeLimit === Infinity ? 0 : messageSizeLimit };
}
