import { assert } from "@std/assert";
import { encodeHeader } from "../ipc/check.ts";
import { ENVELOPE_HEADER_BYTES } from "../ipc/declare.ts";
import { MAX_ADDRESS, MAX_REASON, MAX_RELAY } from "../mail/envelope.ts";
import { testEnvelope } from "../../tests/support/envelope.ts";
import { RECIPIENTS_PER_REPORT, type Report } from "./bounce.ts";

Deno.test("a report on the largest recipients that there can be fits into a call", () => {
  const text = (length: number) => "\u{1f4ec}".repeat(length);
  const recipient: Report["recipients"][number] = {
    address: text(MAX_ADDRESS),
    original: text(MAX_ADDRESS),
    orcpt: text(MAX_ADDRESS),
    notify: ["SUCCESS", "FAILURE", "DELAY"],
    outcome: {
      n: 50_000,
      status: "undeliverable",
      dsn: "5.100.100",
      text: text(MAX_REASON),
      remoteMta: text(255),
      diagnostic: text(MAX_REASON),
      success: "delivered",
      relay: text(MAX_RELAY),
    },
  };
  const report: Report = {
    kind: "failure",
    envelope: testEnvelope({ sender: text(MAX_ADDRESS) }),
    size: Number.MAX_SAFE_INTEGER,
    recipients: Array.from({ length: RECIPIENTS_PER_REPORT }, () => recipient),
    retryUntil: Number.MAX_SAFE_INTEGER,
    source: "a".repeat(64),
  };
  const { length } = encodeHeader(report);
  assert(length <= ENVELOPE_HEADER_BYTES, `${length} bytes`);
});
