/** A header section that nobody can hold whole: what is behind the limit is unknown, so the message is not taken. */

import { assertEquals } from "@std/assert";
import { QUEUE_ID, RECEIVED, scene } from "./test_scene.ts";

const TOO_BIG = {
  queued: false,
  code: 552,
  dsn: "5.3.4",
  text: "Error: message header too big",
};
const COMPLETE =
  "Bcc: secret@example.org\r\nFrom: a@x\r\nDate: d\r\nMessage-Id: <m>\r\n\r\nbody\r\n";
const ADDRESSES = Array.from({ length: 40_000 }, (_, i) => `user${i}@mail.example.org`);

for (
  const [what, head] of [
    ["a header line of 2 MB", `X: ${"x".repeat(2_000_000)}\r\n`],
    ["a million empty folded lines", `X: y\r\n${" \r\n".repeat(1_000_000)}`],
    ["more than 1 MiB of headers", `X: ${"x".repeat(900)}\r\n`.repeat(1400)],
    ["40,000 addresses in To", `To: ${ADDRESSES.join(",\r\n ")}\r\n`],
    ["1001 Bcc headers", "Bcc: u@example.org\r\n".repeat(1001)],
  ] as const
) {
  Deno.test(`submit() refuses a message with ${what}, and sends its Bcc to nobody`, async () => {
    for (const local of [false, true]) {
      const { submit, queue, log } = scene();
      assertEquals(await submit(RECEIVED + head + COMPLETE, { local }), TOO_BIG);
      assertEquals(queue, []);
      assertEquals(log, [`warning: ${QUEUE_ID}: message rejected: header too big`]);
    }
  });
}

Deno.test("submit() drops and completes what is there in a header just below the limit", async () => {
  const { submit, queue } = scene();
  const head = `X: ${"x".repeat(900)}\r\n`.repeat(1100) + "Cc: u@example.org\r\n".repeat(900);
  assertEquals((await submit(RECEIVED + head + COMPLETE, { local: true })).code, 250);
  assertEquals(queue[0]?.text, RECEIVED + head + COMPLETE.replace(/^Bcc.*\r\n/, ""));
});
