/** What programs read of a report is what they would compare it with. */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { fields, recipient, report } from "./test_scene.ts";

Deno.test("report() gives names and addresses as they are, however long", async () => {
  const long = `bounces+${"x".repeat(40)}@${"a".repeat(60)}.${"b".repeat(60)}.${
    "c".repeat(60)
  }.example.com`;
  const orcpt = `rfc822;${"o".repeat(400)}+20+20p@example.net`;
  const text = await fields(
    report({ recipients: [recipient({ address: long, orcpt })] }, {
      sender: long,
      envid: "a+20+20b".repeat(12),
    }),
  );
  for (
    const field of [
      `Final-Recipient: rfc822; ${long}`,
      `Original-Recipient: rfc822;${"o".repeat(400)}  p@example.net`,
      `X-Postern-Sender: rfc822; ${long}`,
      `Original-Envelope-Id: ${"a  b".repeat(12)}`,
    ]
  ) assertStringIncludes(text, `${field}\r\n`);
  const spaces = await fields(
    report({ recipients: [recipient({ address: "a  b@x", original: "c   d@x" })] }),
  );
  assertStringIncludes(
    spaces,
    'Final-Recipient: rfc822; "a  b"@x\r\nOriginal-Recipient: rfc822;"c   d"@x\r\n',
  );
});

Deno.test("report() leaves out a field that no line takes, and names a recipient in words then", async () => {
  const address = `${"x".repeat(990)}@example.com`;
  const asked = report({ recipients: [recipient({ address, original: address })] }, {
    sender: address,
  });
  const text = await fields(asked);
  assertStringIncludes(
    text,
    "\r\n\r\nFinal-Recipient: rfc822; undisclosed-recipients:;\r\nAction: failed\r\n",
  );
  assertEquals(/Original-Recipient|X-Postern-Sender/.test(text), false);
  // What is replaced counts as what it becomes.
  const eightBit = await fields(
    report({ recipients: [recipient({ orcpt: `x;${"é".repeat(900)}` })] }),
  );
  assertStringIncludes(eightBit, `Original-Recipient: x;${"?".repeat(900)}\r\n`);
});
