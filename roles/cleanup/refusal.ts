/** What a submitter hears when its message is not taken (reference 5.4). Local trouble is 4xx, always. */

/** A message that is not queued. */
export class Refusal {
  constructor(readonly code: number, readonly dsn: string, readonly text: string) {}
}

export const TOO_MANY_HOPS = new Refusal(554, "5.4.0", "Error: too many hops");
export const NO_RECIPIENTS = new Refusal(550, "5.1.0", "Error: no recipients specified");
export const WRITE_ERROR = new Refusal(451, "4.3.0", "Error: queue file write error");
export const NO_SPACE = new Refusal(452, "4.3.1", "Insufficient system storage");
export const ALIAS_ERROR = new Refusal(451, "4.6.0", "Alias expansion error");
/** A role of ours broke its contract. */
export const PROTOCOL_ERROR = new Refusal(451, "4.3.0", "Error: internal protocol error");
