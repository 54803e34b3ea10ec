/** The parameters of qmgr: when and how fast each destination is tried (reference 2). */

import { ConfigError } from "../errors.ts";
import { DOUBLE_BOUNCE } from "../mail/address.ts";
import { bool, int, limit, list, type Parameter, perTransport, someText, time } from "./declare.ts";
import { addressing, backoff, identity, queue, sizes } from "./global.ts";

/** How much one success or failure weighs: a number, or a number over the window or its square root. */
export interface Feedback {
  readonly amount: number;
  readonly over: "one" | "concurrency" | "sqrt_concurrency";
}

/** `n`, `n/m`, `n/concurrency`, `n/sqrt_concurrency`, between 0 and 1. */
export function feedback(name: string, fallback: string, notes: { doc: string }) {
  return {
    name,
    fallback,
    ...notes,
    parse(text: string): Feedback {
      const match = /^([0-9.]{1,12})(?:\/(?:([0-9.]{1,12})|(sqrt_)?concurrency))?$/.exec(text);
      const divisor = match?.[2] ? Number(match[2]) : 1;
      const amount = match ? Number(match[1]) / divisor : NaN;
      if (!(amount >= 0 && amount <= 1)) {
        throw new ConfigError(
          `must be n, n/m, n/concurrency or n/sqrt_concurrency from 0 to 1: is "${text}"`,
        );
      }
      const over = match?.[3]
        ? "sqrt_concurrency"
        : text.endsWith("concurrency")
        ? "concurrency"
        : "one";
      return { amount, over };
    },
  } satisfies Parameter<Feedback>;
}

/** How fast a destination is tried. */
const concurrency = {
  initialDestinationConcurrency: perTransport(
    int("initial_destination_concurrency", "2", {
      min: 1,
      doc: "How many deliveries to a destination begin before one of them has ended.",
    }),
    "_initial_destination_concurrency",
  ),
  destinationConcurrencyLimit: perTransport(
    limit("default_destination_concurrency_limit", "20", {
      doc: "The most deliveries to one destination at a time; 0 is no limit.",
    }),
    "_destination_concurrency_limit",
  ),
  destinationConcurrencyPositiveFeedback: perTransport(
    feedback("default_destination_concurrency_positive_feedback", "1", {
      doc: "How much the concurrency of a destination grows with each success.",
    }),
    "_destination_concurrency_positive_feedback",
  ),
  destinationConcurrencyNegativeFeedback: perTransport(
    feedback("default_destination_concurrency_negative_feedback", "1", {
      doc: "How much the concurrency of a destination shrinks with each failure of its site.",
    }),
    "_destination_concurrency_negative_feedback",
  ),
  destinationConcurrencyFailedCohortLimit: perTransport(
    int("default_destination_concurrency_failed_cohort_limit", "1", {
      doc: "After how many failed cohorts in a row a destination is left alone; 0 is never.",
    }),
    "_destination_concurrency_failed_cohort_limit",
  ),
  destinationRateDelay: perTransport(
    time("default_destination_rate_delay", "0s", {
      doc: "The pause between two deliveries to one destination, one at a time; 0 is none.",
    }),
    "_destination_rate_delay",
  ),
  transportRateDelay: perTransport(
    time("default_transport_rate_delay", "0s", {
      doc: "The pause between two deliveries of one transport, one at a time; 0 is none.",
    }),
    "_transport_rate_delay",
  ),
  destinationRecipientLimit: perTransport(
    int("default_destination_recipient_limit", "50", {
      min: 1,
      doc: "The most recipients of a message in one delivery.",
    }),
    "_destination_recipient_limit",
  ),
  localDestinationConcurrencyLimit: limit("local_destination_concurrency_limit", "2", {
    doc: "The most deliveries to one local recipient at a time; 0 is no limit.",
  }),
  localDestinationRecipientLimit: int("local_destination_recipient_limit", "1", {
    min: 1,
    doc: "The most recipients of a message in one delivery by local.",
  }),
  transportConcurrencyLimit: perTransport({
    ...int("default_transport_concurrency_limit", "500", {
      min: 1,
      own: true,
      doc: "The most deliveries of one transport at a time.",
    }),
  }, "_transport_concurrency_limit"),
};

/** How a small mailing overtakes a large one (reference 2.3). */
const preemption = {
  deliverySlotCost: perTransport(
    int("default_delivery_slot_cost", "5", {
      doc: "How many deliveries of a large mailing let one of another message overtake it.",
    }),
    "_delivery_slot_cost",
  ),
  deliverySlotDiscount: perTransport(
    int("default_delivery_slot_discount", "50", {
      max: 100,
      doc: "The percentage of the deliveries that is forgiven to a message that overtakes.",
    }),
    "_delivery_slot_discount",
  ),
  deliverySlotLoan: perTransport(
    int("default_delivery_slot_loan", "3", {
      doc: "How many deliveries a message that overtakes may take in advance.",
    }),
    "_delivery_slot_loan",
  ),
  minimumDeliverySlots: perTransport(
    int("default_minimum_delivery_slots", "3", {
      doc: "A message that earns fewer deliveries for others is never overtaken.",
    }),
    "_minimum_delivery_slots",
  ),
};

/** When mail is tried again, and when it is given up. */
const retries = {
  ...backoff,
  queueRunDelay: time("queue_run_delay", "300s", {
    min: 1,
    doc: "The time between two looks at the deferred queue.",
  }),
  maximalBackoffTime: time("maximal_backoff_time", "4000s", {
    min: 1,
    doc: "The most time between two attempts.",
  }),
  maximalQueueLifetime: time("maximal_queue_lifetime", "5d", {
    doc: "How long mail is tried before it is returned.",
  }),
  bounceQueueLifetime: time("bounce_queue_lifetime", "5d", {
    doc: "How long mail from the null sender is tried before it is given up.",
  }),
  delayWarningTime: time("delay_warning_time", "0h", {
    doc: "After how long the sender is told that mail is delayed; 0 is never.",
  }),
  transportRetryTime: time("transport_retry_time", "60s", {
    min: 1,
    doc: "How long a transport that could not be reached is left alone.",
  }),
  deferTransports: list("defer_transports", "", {
    doc: "Transports whose mail is deferred until it is flushed and they are off this list.",
  }),
};

/** The bounds of memory and disk. */
const limits = {
  qmgrMessageActiveLimit: int("qmgr_message_active_limit", "20000", {
    min: 1,
    doc: "The most messages in the active queue.",
  }),
  qmgrMessageRecipientLimit: int("qmgr_message_recipient_limit", "20000", {
    min: 1,
    doc: "The most recipients in memory, of all active messages.",
  }),
  qmgrMessageRecipientMinimum: int("qmgr_message_recipient_minimum", "10", {
    min: 1,
    doc: "The recipients in memory that each active message is given at least.",
  }),
  qmgrContentFileLimit: int("qmgr_content_file_limit", "4000", {
    min: 1,
    own: true,
    doc:
      "The most large contents that are received, or wait for their heads, at a time; fewer where descriptors are few.",
  }),
  queueMinfree: int("queue_minfree", "0", {
    doc: "The free bytes that the queue's file system must have to take mail.",
  }),
  inFlowDelay: time("in_flow_delay", "1s", {
    max: 10,
    doc:
      "How late a message is taken when mail comes faster than it becomes active, three seconds at most; 0 is at once.",
  }),
  qmgrClogWarnTime: time("qmgr_clog_warn_time", "300s", {
    doc: "The least time between two warnings that one destination fills the active queue.",
  }),
  concurrencyFeedbackDebug: bool("destination_concurrency_feedback_debug", "no", {
    doc: "Log each change of a destination's concurrency.",
  }),
};

export const qmgrParameters = {
  ...queue,
  ...sizes,
  recipientDelimiter: addressing.recipientDelimiter,
  myorigin: identity.myorigin,
  mydomain: identity.mydomain,
  doubleBounceSender: someText("double_bounce_sender", DOUBLE_BOUNCE, {
    doc: "The sender of notifications that must never be answered.",
  }),
  ...concurrency,
  ...preemption,
  ...retries,
  ...limits,
};
