import { assertEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import { byteText, textBytes } from "../../shared/bytes.ts";
import { PeerError } from "../../shared/errors.ts";
import { CallError } from "../../shared/ipc/failure.ts";
import { mailDate } from "../../shared/mail/date.ts";
import type { Intake } from "./submit.ts";
import { content, QUEUE_ID, RECEIVED, recipient, scene, submission } from "./test_scene.ts";

const QUEUED = { queued: true, code: 250, dsn: "2.0.0", text: "Ok" };
const WRITE_TEXT = "Error: queue file write error";
const WRITE_ERROR = { queued: false, code: 451, dsn: "4.3.0", text: WRITE_TEXT };
const ALIAS_ERROR = { queued: false, code: 451, dsn: "4.6.0", text: "Alias expansion error" };
const HOPS = { queued: false, code: 554, dsn: "5.4.0", text: "Error: too many hops" };

/** The queued text of a message, after its Received header. */
async function queued(text: string, local = false, parameters = {}, more = {}): Promise<string> {
  const { submit, queue } = scene(parameters);
  assertEquals(await submit(RECEIVED + text, { local, ...more }), QUEUED);
  assertEquals(queue[0]!.text.startsWith(RECEIVED), true);
  return queue[0]!.text.slice(RECEIVED.length);
}

Deno.test("submit() hands over remote mail as the very bytes that came", async () => {
  const bytes = textBytes(
    `${RECEIVED}Subject: x\r\nTo: anna\r\nDate: yesterday\r\n\r\nBcc: body\r\n`,
  );
  const { cleanup, queue, log } = scene();
  assertEquals(await cleanup.submit(submission(), content(bytes)), QUEUED);
  assertEquals(queue[0]!.bytes === bytes, true);
  assertEquals(queue[0]!.recipients, ["anna@example.com"]);
  assertEquals(log, [`${QUEUE_ID}: message-id=<>`]);
});

Deno.test("submit() hands over a head with the key of its body", async () => {
  const { submit, queue } = scene(), key = "k".repeat(32), head = "Subject: x\r\n\r\n";
  assertEquals(await submit(`${RECEIVED}Bcc: a\r\n${head}`, { body: key }), QUEUED);
  assertEquals(await submit(RECEIVED + head), QUEUED);
  const text = RECEIVED + head;
  assertEquals(queue.map((each) => [each.key, each.text]), [[key, text], [undefined, text]]);
});

Deno.test("submit() drops Bcc, Content-Length, Return-Path and Resent-Bcc of any mail", async () => {
  assertEquals(
    await queued(
      "BCC: a@x,\r\n b@y\r\nSubject: x\r\nReturn-Path: <x>\r\nbcc : c\r\n" +
        "Resent-Bcc: d\r\nContent-Length: 5\r\nX: y\r\n\r\nBcc: e\r\n",
    ),
    "Subject: x\r\nX: y\r\n\r\nBcc: e\r\n",
  );
});

for (
  const [what, smtputf8, header, expected] of [
    ["nothing of UTF-8 in the header of other mail", false, "Subject: \u00e4\r\n", undefined],
    ["that a header is ASCII", true, "Subject: x\r\n", false],
    ["that a header has UTF-8", true, "Subject: \u00c3\u00a4\r\n", true],
    ["that a header is ASCII when what was not is dropped", true, "Bcc: \u00c3\u00a4@x\r\n", false],
    [
      "that a header has UTF-8 when another is dropped",
      true,
      "Bcc: a\r\nX: \u00c3\u00a4\r\n",
      true,
    ],
  ] as const
) {
  Deno.test(`submit() notes ${what}, and looks at no body`, async () => {
    const { envelope } = submission(), text = `${RECEIVED}${header}\r\n\u00c3\u00a4\r\n`;
    const { cleanup, queue } = scene(), sent = submission({ envelope: { ...envelope, smtputf8 } });
    await cleanup.submit(sent, content(textBytes(text)));
    await cleanup.submit(sent, content(textBytes(text.slice(0, -9)), textBytes(text.slice(-9))));
    assertEquals(queue.map((each) => each.utf8Header), [expected, expected]);
  });
}

Deno.test("submit() gives mail from the null sender the name of no user", async () => {
  const { envelope } = submission();
  const more = { fullName: "Joe Public", envelope: { ...envelope, sender: "" } };
  const text = await queued("Subject: x\r\n\r\n", true, {}, more);
  assertEquals(/^From: .*/m.exec(text)?.[0], "From: MAILER-DAEMON@example.com");
});

Deno.test("submit() drops what message_drop_headers names", async () => {
  assertEquals(
    await queued("Bcc: a\r\nX-Secret: b\r\n\r\n", false, { message_drop_headers: "x-secret" }),
    "Bcc: a\r\n\r\n",
  );
});

Deno.test("submit() completes local mail with Message-Id, Date and From", async () => {
  assertEquals(
    await queued("Subject: x\r\n\r\nbody\r\n", true, {}, { fullName: "Joe Public" }),
    "Subject: x\r\n" +
      `Message-Id: <${QUEUE_ID}@mx.example.com>\r\n` +
      `Date: ${mailDate(1_700_000_000_000)}\r\n` +
      "From: Joe Public <joe@example.org>\r\n\r\nbody\r\n",
  );
});

Deno.test("submit() completes mail that is sent again with Resent- headers", async () => {
  const text = await queued(
    "From: a@x\r\nDate: d\r\nMessage-Id: <m>\r\nResent-To: b@y\r\n\r\n",
    true,
  );
  const added = text.slice(text.indexOf("Resent-To: b@y\r\n") + 16);
  assertEquals(
    added,
    `Resent-Message-Id: <${QUEUE_ID}@mx.example.com>\r\n` +
      `Resent-Date: ${mailDate(1_700_000_000_000)}\r\nResent-From: joe@example.org\r\n\r\n`,
  );
});

for (
  const [fullName, format, from] of [
    ['Joe "Q." Public', "standard", '"Joe \\"Q.\\" Public" <joe@example.org>'],
    ["Jö", "standard", "=?utf-8?B?SsO2?= <joe@example.org>"],
    ["Joe (Q)", "obsolete", "joe@example.org (Joe \\(Q\\))"],
    ["", "obsolete", "joe@example.org"],
  ] as const
) {
  Deno.test(`submit() writes From for "${fullName}" in ${format} format`, async () => {
    const head = "Date: d\r\nMessage-Id: <m>\r\n";
    const text = await queued(`${head}\r\n`, true, { header_from_format: format }, { fullName });
    assertEquals(text, `${head}From: ${from}\r\n\r\n`);
  });
}

Deno.test("submit() adds nothing to remote mail unless always_add_missing_headers says so", async () => {
  assertEquals(await queued("X: y\r\n\r\n"), "X: y\r\n\r\n");
  const text = await queued("X: y\r\n\r\n", false, { always_add_missing_headers: "yes" });
  assertEquals(text.includes("\r\nDate: "), true);
});

Deno.test("submit() completes the addresses in headers of local mail and nothing else", async () => {
  const head =
    'From: joe\r\nTo: "x" <anna>,\r\n\tböb@\xe9\xe9\xff, \xc3\xa9\r\nSubject: joe\r\nDate: d\r\n' +
    "Message-Id: m\r\n\r\n";
  assertEquals(
    await queued(head, true),
    head.replace("joe\r", "joe@example.com\r").replace("<anna>", "<anna@example.com>")
      .replace("\xc3\xa9", "\xc3\xa9@example.com"),
  );
});

Deno.test("submit() passes an over-long header of local mail as it is", async () => {
  const head = `From: ${"joe, ".repeat(100)}joe\r\nDate: d\r\nMessage-Id: m\r\n\r\n`;
  assertEquals(await queued(head, true, { header_size_limit: "500" }), head);
});

Deno.test("submit() inserts an empty line before text that is no header", async () => {
  assertEquals(await queued("X: y\r\nhello\r\n"), "X: y\r\n\r\nhello\r\n");
});

Deno.test("submit() logs the message id, on one line, and that of mail sent again", async () => {
  const { submit, log } = scene();
  await submit(`${RECEIVED}Message-ID:\r\n <a@x>\r\nRESENT-message-id: <b>\r\n\r\n`);
  assertEquals(log, [`${QUEUE_ID}: resent-message-id=<b>`, `${QUEUE_ID}: message-id=<a@x>`]);
});

Deno.test("submit() takes 8-bit from Content-Transfer-Encoding", async () => {
  const { submit, queue } = scene();
  for (const encoding of ["8BIT", "(a comment) 8bit", "8bit-foo"]) {
    await submit(`${RECEIVED}Content-Transfer-Encoding: ${encoding}\r\n\r\n`);
  }
  assertEquals(queue.map(({ body }) => body), ["8bit", "8bit", "7bit"]);
});

Deno.test("submit() puts every colon where readers look for it, and leaves the body alone", async () => {
  assertEquals(
    await queued("Subject : x\r\n y : z\r\nX-Other\t \t: y\r\nTo: a\r\n\r\nNot : this\r\n"),
    "Subject: x\r\n y : z\r\nX-Other: y\r\nTo: a\r\n\r\nNot : this\r\n",
  );
});

Deno.test("submit() logs a message id in Unicode as the text that it is", async () => {
  const { submit, log } = scene();
  await submit(byteText(new TextEncoder().encode(`${RECEIVED}Message-Id: <é@x>\r\n\r\n`)));
  assertEquals(log, [`${QUEUE_ID}: message-id=<é@x>`]);
});

Deno.test("submit() refuses a message without Received", async () => {
  const { submit, log, queue } = scene();
  const reply = await submit("Subject: x\r\n\r\nReceived: y\r\n");
  assertEquals([reply.code, reply.queued, queue.length], [451, false, 0]);
  assertEquals(log, [`warning: ${QUEUE_ID}: message rejected: no Received: header`]);
});

Deno.test("submit() takes 49 Received headers and refuses 50", async () => {
  const { submit, log } = scene();
  assertEquals(await submit("Received: x\r\n".repeat(49) + "\r\n"), QUEUED);
  assertEquals(await submit("Received: x\r\n".repeat(50) + "\r\n"), HOPS);
  assertEquals(log.at(-1), `warning: ${QUEUE_ID}: message rejected: hopcount exceeded`);
});

Deno.test("submit() refuses 10,000 Received headers at once", async () => {
  assertEquals(await scene().submit("Received: x\r\n".repeat(10_000)), HOPS);
});

for (
  const [why, text] of [
    ["a header line of 1 MB", `X: ${"x".repeat(1_000_000)}\r\nBcc: a\r\n\r\n`],
    ["NUL bytes", "X: a\0b\r\n\r\n\0\0\r\n"],
    ["a NUL in a header's name", "X\0: a\r\n\r\n"],
    ["a header named __proto__", "__proto__: x\r\nconstructor: y\r\n\r\n"],
    ["bytes that are no text", "To: \xff\xfe@\x80\r\nSubject: \xff\r\n\r\n\xff\r\n"],
    ["a message that is one line", "x\r\n"],
    ["300,000 empty folded lines", `X: y\r\n${" \r\n".repeat(300_000)}\r\n`],
  ] as const
) {
  Deno.test(`submit() keeps the content of a message with ${why}`, async () => {
    for (const local of [false, true]) {
      const { submit, queue } = scene();
      assertEquals(await submit(RECEIVED + text, { local }), QUEUED);
      const kept = queue[0]!.text.replace(/\r\nMessage-Id: .*\r\nDate: .*\r\nFrom: .*(?=\r\n)/, "");
      const plain = (text: string) => text.replace("Bcc: a\r\n", "").replaceAll("\r\n", "");
      assertEquals(plain(kept), plain(RECEIVED + text));
    }
  });
}

Deno.test("submit() gives the same result however the message is cut", () =>
  fc.assert(fc.asyncProperty(
    fc.array(
      fc.oneof(
        fc.constantFrom(
          "\r\n",
          "Bcc: a\r\n",
          "To: joe, anna\r\n",
          " x@y\r\n",
          "From : a\r\n",
          "x\r\n",
        ),
        fc.string().map((text) => text.replace(/[\r\n]|[^\0-\xff]/g, "") + "\r\n"),
      ),
      { maxLength: 12 },
    ).map((lines) => RECEIVED + lines.join("")),
    fc.array(fc.nat(), { maxLength: 6 }),
    fc.boolean(),
    async (text, cuts, local) => {
      const bytes = textBytes(text);
      const at = [0, ...cuts.map((cut) => cut % bytes.length).sort((a, b) => a - b), bytes.length];
      const pieces = at.slice(1).map((end, i) => bytes.subarray(at[i], end));
      const whole = scene(), cut = scene();
      assertEquals(
        await cut.cleanup.submit(submission({ local }), content(...pieces, new Uint8Array(0))),
        await whole.submit(text, { local }),
      );
      const { text: wholeText, recipients } = whole.queue[0]!;
      assertEquals([cut.queue[0]!.text, cut.queue[0]!.recipients], [wholeText, recipients]);
    },
  )));

Deno.test("submit() queues nothing when the submitter goes away in mid-message", async () => {
  const { cleanup, queue } = scene();
  const arriving = content(textBytes(`${RECEIVED}\r\n`), textBytes("body\r\n"), textBytes("more"));
  const broken = new Proxy(arriving, {
    get(target, key) {
      if (key !== Symbol.asyncIterator) return Reflect.get(target, key, target);
      return async function* () {
        yield textBytes(`${RECEIVED}\r\n`);
        yield textBytes("body\r\n");
        await Promise.resolve();
        throw new PeerError("the caller gave up");
      };
    },
  });
  await assertRejects(() => cleanup.submit(submission(), broken), PeerError, "gave up");
  assertEquals(queue, []);
});

for (const code of ["storage", "unavailable", "deadline", "bug", "refused"] as const) {
  Deno.test(`submit() answers 451 when the queue fails with ${code}`, async () => {
    const call = (() => Promise.reject(new CallError(code, "intake: no"))) as Intake["call"];
    assertEquals(await scene({}, {}, call).submit(`${RECEIVED}\r\n`), WRITE_ERROR);
  });
}

Deno.test("submit() answers 452 when the queue is full", async () => {
  const call = (() => Promise.reject(new CallError("full", "intake: no"))) as Intake["call"];
  assertEquals(await scene({}, {}, call).submit(`${RECEIVED}\r\n`), {
    queued: false,
    code: 452,
    dsn: "4.3.1",
    text: "Insufficient system storage",
  });
});

for (
  const [sender, expected] of [
    ["joe", "joe@example.com"],
    ["", ""],
    ["MAILER-DAEMON", ""],
    ["mailer-daemon@EXAMPLE.com", ""],
    ["MAILER-DAEMON@example.org", "MAILER-DAEMON@example.org"],
    ["mailer-daemons@example.org", "mailer-daemons@example.org"],
    ["ma\u0131ler-daemon@example.org", "ma\u0131ler-daemon@example.org"],
  ] as const
) {
  Deno.test(`submit() makes the sender <${sender}> <${expected}>`, async () => {
    const { submit, queue } = scene();
    const { envelope } = submission();
    await submit(`${RECEIVED}\r\n`, { envelope: { ...envelope, sender } });
    assertEquals(queue[0]!.sender, expected);
  });
}

const MAPS = { virtual_alias_maps: "texthash:/virtual" };
const ALIASES = {
  "team@example.com": 'anna, "Bob B." <bob@example.org>, all@example.com',
  "all@example.com": "anna@example.com, cleo@example.net",
  "self@example.com": "self@example.com, anna@example.com",
  "echo@example.com": "self2@example.com",
  "self2@example.com": "self2@example.com, echo@example.com",
  "ping@example.com": "pong@example.com",
  "pong@example.com": "ping@example.com",
  "bomb@example.com": "bomb1@example.com, bomb2@example.com",
  "bomb1@example.com": "bomb@example.com, bomb2@example.com",
  "bomb2@example.com": "bomb@example.com, bomb1@example.com",
  "many@example.com": Array.from({ length: 1001 }, (_, i) => `u${i}@x.org`).join(", "),
  "long@example.com": `${"x".repeat(1001)}@x.org`,
  "empty@example.com": ",",
};

for (
  const [why, addresses, expected] of [
    ["one address to many, each once", ["team"], [
      "anna@example.com",
      "bob@example.org",
      "cleo@example.net",
    ]],
    ["an address to itself and another", ["self"], ["self@example.com", "anna@example.com"]],
    ["an address to one that stands for itself", ["echo"], ["self2@example.com"]],
    ["nothing for an address that is no alias", ["joe"], ["joe@example.com"]],
  ] as const
) {
  Deno.test(`submit() expands ${why}`, async () => {
    const { submit, queue } = scene(MAPS, ALIASES);
    const recipients = addresses.map((address) => recipient(address));
    const reply = await submit(`${RECEIVED}\r\n`, { recipients });
    assertEquals([reply, queue[0]?.recipients], [QUEUED, [...expected]]);
  });
}

for (const name of ["ping", "bomb", "many", "long", "empty"]) {
  Deno.test(`submit() refuses the unreasonable alias "${name}" for now`, async () => {
    const { submit, queue } = scene(MAPS, ALIASES);
    assertEquals(await submit(`${RECEIVED}\r\n`, { recipients: [recipient(name)] }), ALIAS_ERROR);
    assertEquals(queue, []);
  });
}

Deno.test("submit() keeps the original recipient and what it asked for", async () => {
  const seen: unknown[] = [];
  // deno-lint-ignore no-explicit-any
  const call = ((_: string, request: any) => {
    seen.push(...request.recipients);
    return Promise.resolve({ reply: {} });
  }) as unknown as Intake["call"];
  const from = recipient("all@example.com", {
    original: "ALL",
    orcpt: "rfc822;all",
    notify: ["NEVER"],
  });
  await scene(MAPS, ALIASES, call).submit(`${RECEIVED}\r\n`, { recipients: [from, from] });
  assertEquals(seen, [
    { ...from, address: "anna@example.com" },
    { ...from, address: "cleo@example.net" },
  ]);
});

Deno.test("submit() bounds how often one recipient is delivered to, whatever reports are asked for", async () => {
  const { submit, queue } = scene();
  const named = Array.from({ length: 1000 }, (_, n) =>
    recipient("anna@example.com", {
      orcpt: `rfc822;${n}`,
      notify: n % 2 ? ["SUCCESS", "FAILURE"] : ["FAILURE", "SUCCESS"],
    }));
  await submit(`${RECEIVED}\r\n`, { recipients: [...named, recipient("cleo@example.com")] });
  assertEquals(queue[0]!.recipients.length, 51);
  assertEquals(queue[0]!.recipients.at(-1), "cleo@example.com");
});

Deno.test("submit() answers 451 when a table fails", async () => {
  const { submit } = scene(MAPS, () => ({ value: null, fail: true }));
  assertEquals(await submit(`${RECEIVED}\r\n`), WRITE_ERROR);
});

Deno.test("submit() answers 451 when rewrite is away", async () => {
  const { submit } = scene(MAPS, () => {
    throw new CallError("unavailable", "rewrite: connection closed");
  });
  assertEquals(await submit(`${RECEIVED}\r\n`), WRITE_ERROR);
});

Deno.test("submit() refuses a message for nobody", async () => {
  assertEquals((await scene().submit(`${RECEIVED}\r\n`, { recipients: [] })).code, 550);
});
