/** undisclosed_recipients_header: readers find to whom a message went, or that they are not to know. */

import { assertEquals } from "@std/assert";
import { RECEIVED, scene } from "./test_scene.ts";

const UNDISCLOSED = "To: undisclosed-recipients:;";

for (
  const [header, added] of [
    ["Subject: x", true],
    ["To: anna", false],
    ["Cc: anna", false],
    ["Resent-To: anna", false],
    ["Resent-Cc: anna", false],
    ["Bcc: anna", true],
    ["Resent-Bcc: anna", true],
  ] as const
) {
  Deno.test(`submit() adds ${added ? "the" : "no"} header of undisclosed recipients to "${header}"`, async () => {
    const { submit, queue } = scene({
      undisclosed_recipients_header: UNDISCLOSED,
      message_drop_headers: "",
    });
    await submit(`${RECEIVED}${header}\r\n\r\nbody\r\n`);
    const expected = added ? `${header}\r\n${UNDISCLOSED}` : header;
    assertEquals(queue[0]!.text, `${RECEIVED}${expected}\r\n\r\nbody\r\n`);
  });
}
