/** The parameters of anvil: how long it counts. */

import { time } from "./declare.ts";

export const anvilParameters = {
  rateTimeUnit: time("anvil_rate_time_unit", "60s", {
    min: 1,
    doc: "The time over which the rates of clients are counted.",
  }),
  statusUpdateTime: time("anvil_status_update_time", "600s", {
    min: 1,
    doc: "How often the peaks of clients' connections and rates are logged.",
  }),
};
