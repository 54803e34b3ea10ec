/** Envelopes of the messages that tests make. */

import { type Envelope, NO_CLIENT } from "../../shared/mail/envelope.ts";

/** A plain local message; `part` is what the test is about. */
export function testEnvelope(part: Partial<Envelope> = {}): Envelope {
  return {
    queueId: "4dXyZ12345z1",
    sender: "joe@example.org",
    arrived: 0,
    client: NO_CLIENT,
    smtputf8: false,
    body: "7bit",
    ret: "",
    envid: "",
    ...part,
  };
}
