import { assertEquals } from "@std/assert";
import { isFitting, statusFor, worded } from "./verify.ts";

const VERIFIED = { trace: "verify" } as const;
const DELIVERED = [{}, { trace: "deliver" }] as const;

Deno.test("statusFor() has other words for a message that is verified, and for no other", () => {
  assertEquals(statusFor(VERIFIED, "sent"), "deliverable");
  assertEquals(statusFor(VERIFIED, "bounced"), "undeliverable");
  assertEquals(statusFor(VERIFIED, "deferred"), "undeliverable");
  for (const envelope of DELIVERED) {
    for (const status of ["sent", "bounced", "deferred"] as const) {
      assertEquals(statusFor(envelope, status), status);
    }
  }
});

Deno.test("isFitting() takes each word for its kind of message only", () => {
  for (const status of ["deliverable", "undeliverable"] as const) {
    assertEquals(isFitting(VERIFIED, { status }), true);
    for (const envelope of DELIVERED) assertEquals(isFitting(envelope, { status }), false);
  }
  for (const status of ["sent", "bounced", "deferred"] as const) {
    assertEquals(isFitting(VERIFIED, { status }), false);
    for (const envelope of DELIVERED) assertEquals(isFitting(envelope, { status }), true);
  }
});

Deno.test("worded() changes the word, once, and nothing else", () => {
  const outcome = { status: "deferred" as const, dsn: "4.3.0" };
  const once = worded(VERIFIED, outcome as { status: "deferred" | "undeliverable"; dsn: string });
  assertEquals(once, { status: "undeliverable", dsn: "4.3.0" });
  assertEquals(worded(VERIFIED, once), once);
  assertEquals(worded({}, outcome), outcome);
});
