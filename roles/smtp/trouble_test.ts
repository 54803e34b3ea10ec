/** Postfix's words for what goes wrong, and who is to blame: the recipient, the message or the site. */

import { assertEquals, assertMatch } from "@std/assert";
import {
  content,
  deliverer,
  logged,
  outcomes,
  request,
  type Script,
  StubServer,
} from "./stub_test_server.ts";

const H = "127.0.0.1[127.0.0.1]";

/** Why, the script, the outcome of the one recipient, and whether the site is to blame. */
const TEXTS: [string, Script, [string, string, string], boolean][] = [
  [
    "the server hangs up at once",
    { CONNECT: "close" },
    ["deferred", "4.4.2", `lost connection with ${H} while receiving the initial server greeting`],
    true,
  ],
  [
    "the greeting is 4xx",
    { CONNECT: "421 4.3.2 busy" },
    ["deferred", "4.3.2", `host ${H} refused to talk to me: 421 4.3.2 busy`],
    true,
  ],
  [
    "the greeting is 5xx",
    { CONNECT: "554 5.7.1 go away" },
    ["deferred", "4.7.1", `host ${H} refused to talk to me: 554 5.7.1 go away`],
    true,
  ],
  [
    "the greeting is no SMTP",
    { CONNECT: "SSH-2.0-OpenSSH" },
    ["deferred", "4.5.0", `host ${H} refused to talk to me: SSH-2.0-OpenSSH`],
    true,
  ],
  [
    "EHLO and HELO are 5xx",
    { EHLO: "502 no", HELO: "550 5.7.0 never" },
    ["bounced", "5.7.0", `host ${H} refused to talk to me: 550 5.7.0 never`],
    false,
  ],
  [
    "the server hangs up at EHLO",
    { EHLO: "close" },
    ["deferred", "4.4.2", `lost connection with ${H} while performing the EHLO handshake`],
    true,
  ],
  [
    "MAIL is 4xx",
    { MAIL: "451 4.7.1 later", RCPT: "503 no", DATA: "503 no" },
    ["deferred", "4.7.1", `host ${H} said: 451 4.7.1 later (in reply to MAIL FROM command)`],
    false,
  ],
  [
    "MAIL is 5xx",
    { MAIL: "550 no sender", RCPT: "503 no", DATA: "503 no" },
    ["bounced", "5.0.0", `host ${H} said: 550 no sender (in reply to MAIL FROM command)`],
    false,
  ],
  [
    "the server hangs up at MAIL",
    { MAIL: "close" },
    ["deferred", "4.4.2", `lost connection with ${H} while sending MAIL FROM`],
    true,
  ],
  [
    "RCPT is 4xx",
    { RCPT: "450 4.2.0 greylisted", DATA: "554 no recipients" },
    ["deferred", "4.2.0", `host ${H} said: 450 4.2.0 greylisted (in reply to RCPT TO command)`],
    false,
  ],
  [
    "RCPT is 5xx in many lines",
    { RCPT: "550-5.1.1 no\r\n550 5.1.1 such user", DATA: "354 go on" },
    [
      "bounced",
      "5.1.1",
      `host ${H} said: 550-5.1.1 no 550 5.1.1 such user (in reply to RCPT TO command)`,
    ],
    false,
  ],
  [
    "the server hangs up at RCPT",
    { RCPT: "close" },
    ["deferred", "4.4.2", `lost connection with ${H} while sending RCPT TO`],
    true,
  ],
  [
    "DATA is 4xx",
    { DATA: "451 4.3.0 not now" },
    ["deferred", "4.3.0", `host ${H} said: 451 4.3.0 not now (in reply to DATA command)`],
    false,
  ],
  [
    "DATA is 2xx, which makes no sense",
    { DATA: "250 ok" },
    ["deferred", "4.5.0", `host ${H} said: 250 ok (in reply to DATA command)`],
    false,
  ],
  [
    "the server hangs up at DATA",
    { DATA: "close" },
    ["deferred", "4.4.2", `lost connection with ${H} while sending DATA command`],
    true,
  ],
  [
    "the end of data is 5xx",
    { ".": "554 5.6.0 bad content" },
    ["bounced", "5.6.0", `host ${H} said: 554 5.6.0 bad content (in reply to end of DATA command)`],
    false,
  ],
  [
    "the end of data is 4xx",
    { ".": "452 4.3.1 full" },
    ["deferred", "4.3.1", `host ${H} said: 452 4.3.1 full (in reply to end of DATA command)`],
    false,
  ],
  [
    "the end of data is 354, which makes no sense",
    { ".": "354 more" },
    ["deferred", "4.5.0", `host ${H} said: 354 more (in reply to end of DATA command)`],
    false,
  ],
  [
    "the server hangs up at the end of data",
    { ".": "close" },
    [
      "deferred",
      "4.4.2",
      `lost connection with ${H} while sending end of data -- message may be sent more than once`,
    ],
    true,
  ],
  [
    "the message is too large for the server",
    { EHLO: "250-mx.test\r\n250 SIZE 5" },
    ["bounced", "5.3.4", `message size 12 exceeds size limit 5 of server ${H}`],
    false,
  ],
];

for (const [why, script, expected, site] of TEXTS) {
  Deno.test(`deliver() has Postfix's words when ${why}`, async () => {
    const { seen, reply } = await outcomes(script);
    assertEquals(seen, [expected]);
    assertEquals(reply.siteProblem !== null, site);
    if (site) assertEquals(reply.siteProblem!.text, reply.outcomes[0]!.text);
  });
}

for (
  const [verb, parameter, text] of [
    ["CONNECT", "smtp_helo_timeout", "receiving the initial server greeting"],
    ["EHLO", "smtp_helo_timeout", "performing the EHLO handshake"],
    ["MAIL", "smtp_mail_timeout", "sending MAIL FROM"],
    ["RCPT", "smtp_rcpt_timeout", "sending RCPT TO"],
    ["DATA", "smtp_data_init_timeout", "sending DATA command"],
    [".", "smtp_data_done_timeout", "sending end of data -- message may be sent more than once"],
  ] as const
) {
  Deno.test(`deliver() gives up on ${verb} after ${parameter}`, async () => {
    // Each step after the silent one would answer: the wait is for this one.
    const script: Script = { [verb]: "silence" };
    if (verb === "MAIL") Object.assign(script, { RCPT: "silence", DATA: "silence" });
    if (verb === "RCPT") script["DATA"] = "silence";
    const { seen, reply } = await outcomes(script, { [parameter]: "1s" });
    assertEquals(seen, [["deferred", "4.4.2", `conversation with ${H} timed out while ${text}`]]);
    assertEquals(reply.siteProblem?.dsn, "4.4.2");
  });
}

Deno.test("deliver() bounces a 5xx greeting only where smtp_skip_5xx_greeting is off", async () => {
  const { seen } = await outcomes({ CONNECT: "554 5.7.1 no" }, { smtp_skip_5xx_greeting: "no" });
  assertEquals(seen, [["bounced", "5.7.1", `host ${H} refused to talk to me: 554 5.7.1 no`]]);
});

Deno.test("deliver() gives each recipient its own outcome", async () => {
  const { seen } = await outcomes(
    {
      RCPT: (line) =>
        line.includes("bad") ? "550 5.1.1 no" : line.includes("slow") ? "450 x" : "250 ok",
    },
    {},
    ["bad@example.com", "good@example.com", "slow@example.com", "fine@example.com"],
  );
  assertEquals(seen.map(([status, dsn]) => [status, dsn]), [
    ["bounced", "5.1.1"],
    ["sent", "2.0.0"],
    ["deferred", "4.0.0"],
    ["sent", "2.0.0"],
  ]);
});

Deno.test("deliver() says connection refused where nobody listens", async () => {
  const server = await new StubServer().listen();
  const { port } = server;
  await server[Symbol.asyncDispose]();
  const reply = await deliverer().deliver(request(`[127.0.0.1]:${port}`), content());
  assertEquals(reply.siteProblem, {
    dsn: "4.4.1",
    text: `connect to ${H}:${port}: Connection refused`,
  });
  const [connect, deferred] = logged();
  assertEquals(connect, `connect to ${H}:${port}: Connection refused`);
  assertMatch(deferred!, /relay=none, .* status=deferred \(connect to /);
});

Deno.test("deliver() defers a nexthop that it cannot read", async () => {
  const reply = await deliverer().deliver(request("[half"), content());
  assertEquals(reply.outcomes[0]!.dsn, "4.3.5");
});

for (
  const [reply, first, others] of [
    ["552 5.5.3 Too many recipients", "5.5.3", "4.5.3"],
    ["552 Too many recipients", "5.0.0", "4.5.3"],
    ["552 5.2.2 Mailbox full", "5.2.2", "5.2.2"],
    ["550 5.5.3 Too many recipients", "5.5.3", "5.5.3"],
  ] as const
) {
  Deno.test(`deliver() knows what "${reply}" to RCPT says, of the first and of others`, async () => {
    const script: Script = { RCPT: (line) => line.includes("more") ? reply : "250 2.1.5 Ok" };
    const to = ["more1@x", "a@x", "more2@x", "more3@x"];
    const { seen } = await outcomes(script, {}, to);
    assertEquals(seen.map(([, dsn]) => dsn), [first, "2.0.0", others, others]);
  });
}
