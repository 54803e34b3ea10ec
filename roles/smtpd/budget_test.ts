/** What the recipients of all sessions may hold together, over sockets. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { type AddressInfo, createServer } from "node:net";
import { Budget } from "../../shared/budget.ts";
import { setSink } from "../../shared/log/log.ts";
import { stubServices, stubSettings } from "../../tests/dialogs/memory.ts";
import { SmtpClient } from "../../tests/support/smtp.ts";
import { until } from "../../tests/support/waiting.ts";
import { Reception } from "./reception.ts";

const log: string[] = [];
setSink((_severity, text) => log.push(text));

const BUDGET_BYTES = 100_000;
const REFUSED = "452 4.3.1 Insufficient system storage";
/** About 1 KB, as long as a parameter may be. */
const LONG = `RCPT TO:<user@here.test> ORCPT=rfc822;${"x".repeat(980)}`;

async function house() {
  const messages: string[] = [];
  const recipients = new Budget("recipients", BUDGET_BYTES, 5000);
  const head: [string, string][] = [["rewrite", "user@here.test local yes"]];
  const reception = new Reception({
    service: "smtp",
    settings: stubSettings(),
    services: {
      ...stubServices(head, "localhost", { time: 0 }, messages),
      clock: { now: Date.now, steady: () => performance.now(), sleep: () => Promise.resolve() },
      recipients,
    },
    tls: undefined,
  });
  const server = createServer({ noDelay: true }, (socket) => reception.accept(socket));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    recipients,
    messages,
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      server.close();
      await reception.drain();
    },
  };
}

/** A session with as many long recipients as it may have. */
async function greedy(port: number): Promise<SmtpClient> {
  const client = await SmtpClient.connect(port);
  for (const line of ["EHLO x", "MAIL FROM:<s@example.com>"]) {
    assertEquals((await client.command(line)).code, 250);
  }
  for (;;) {
    const { code, text } = await client.command(LONG);
    if (code === 250) continue;
    assertEquals(text, REFUSED);
    return client;
  }
}

/** An ordinary message on its way from greeting to goodbye. */
async function ordinary(port: number): Promise<void> {
  using client = await SmtpClient.connect(port);
  await client.command("EHLO x");
  await client.message("s@example.com", ["user@here.test", "user@here.test"], "hello");
  await client.quit();
}

Deno.test("sessions whose recipients use up the memory for all are refused more, and others go on", async () => {
  await using scene = await house();
  const { port, recipients, messages } = scene;
  const clients: SmtpClient[] = [];
  for (let n = 0; n < 20; n++) clients.push(await greedy(port));
  assert(recipients.taken > BUDGET_BYTES - 2000, `${recipients.taken}`);
  await ordinary(port);
  assertEquals(messages.length, 1);
  const warned = log.filter((text) => text.startsWith("recipients: all 100000 bytes"));
  assertEquals(warned.length, 1);

  // What was accepted is delivered, and a refused recipient is no error of the client.
  const [first, second, third, ...rest] = clients as [SmtpClient, SmtpClient, SmtpClient];
  for (let n = 0; n < 30; n++) assertEquals((await first.command(LONG)).text, REFUSED);
  await first.command("DATA");
  assertStringIncludes((await first.command("hello\r\n.")).text, "queued as");
  assertEquals((await second.command("RSET")).code, 250);
  assertEquals((await third.command("EHLO y")).code, 250);
  const gone: Disposable[] = [first, second, third, ...rest];
  for (const client of gone) client[Symbol.dispose]();
  await until(() => recipients.taken === 0);
  const next = await greedy(port);
  assert(recipients.taken > BUDGET_BYTES - 2000);
  next[Symbol.dispose]();
  await until(() => recipients.taken === 0);
});

for (
  const [how, lines] of [
    ["RSET", ["RSET"]],
    ["a new greeting", ["HELO x"]],
    ["the end of its content", ["DATA", "hello\r\n."]],
    ["BDAT LAST", ["BDAT 0 LAST"]],
    ["an error in BDAT", ["BDAT 99999999999 LAST"]],
    ["QUIT", ["QUIT"]],
  ] as const
) {
  Deno.test(`${how} gives back what the recipients of a session held`, async () => {
    await using scene = await house();
    using client = await greedy(scene.port);
    assert(scene.recipients.taken > 0);
    for (const line of lines) {
      // The chunk that is too large never comes: the count is given back at once.
      if (line.startsWith("BDAT 9")) client.write(`${line}\r\n`);
      else await client.command(line);
    }
    await until(() => scene.recipients.taken === 0);
  });
}
