/** Sessions that stop half-way and hold what they have sent: others must not notice. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { SmtpClient } from "../support/smtp.ts";
import { System } from "../support/system.ts";

const REFUSED = "452 4.3.1 Insufficient system storage";
/** More than cleanup keeps for all together, 64 MiB, at nearly 1 MiB each. */
const SESSIONS = 90;
const HEADER = "Subject: x\r\n" + `X-Y: ${"z".repeat(90)}\r\n`.repeat(10_000);

async function holdHeader(port: number): Promise<SmtpClient> {
  const client = await SmtpClient.connect(port);
  for (const line of ["EHLO x", "MAIL FROM:<s@src.test>", "RCPT TO:<u1@box.test>"]) {
    assertEquals((await client.command(line)).code, 250);
  }
  assertEquals((await client.command("DATA")).code, 354);
  client.write(HEADER);
  return client;
}

/** Ends a message; what the server says to it. */
async function end(client: SmtpClient): Promise<string> {
  const { text } = await client.command("\r\nhello\r\n.");
  await client.quit();
  return text;
}

Deno.test("many sessions that stop within their header are refused, and mail of others is not", async () => {
  await using system = await System.start();
  const clients: SmtpClient[] = [];
  for (let n = 0; n < SESSIONS; n++) clients.push(await holdHeader(system.port));
  const warning = "headers and recipients: all 67108864 bytes for all sessions together are in use";
  await system.until(() => system.output.includes(warning));

  await system.send("u2@box.test", "Subject: ordinary\n\nhello");
  await system.until(() => system.maildir("u2").length === 1);

  const replies: string[] = [];
  for (const client of clients) replies.push(await end(client));
  const refused = replies.filter((text) => text === REFUSED).length;
  const queued = replies.filter((text) => text.startsWith("250 2.0.0 Ok: queued as")).length;
  assertEquals(refused + queued, SESSIONS);
  assert(refused > 10 && queued > 50, `${refused} refused, ${queued} queued`);

  // All of it was given back, and nobody was told to stay away.
  const next = await holdHeader(system.port);
  assertMatch(await end(next), /^250 2\.0\.0 Ok: queued as/);
  await system.until(() => system.maildir("u1").length === queued + 1);
});
