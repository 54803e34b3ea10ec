import { assertEquals } from "@std/assert";
import type { Listed } from "../../shared/protocols/queue.ts";
import { jsonLines, mailqText } from "./queue_listing.ts";

const REFUSED = "connect to 127.0.0.1[127.0.0.1]:1: Connection refused";

function listed(values: Partial<Listed> = {}): Listed {
  return {
    queue_name: "deferred",
    queue_id: "4jWb0l24cGzJDLg",
    arrival_time: new Date(2026, 10, 21, 1, 56, 39).getTime() / 1000,
    message_size: 263,
    forced_expire: false,
    sender: "a@mail.example.com",
    recipients: [{ address: "t@example.org", delay_reason: REFUSED }],
    ...values,
  };
}

const HOSTILE = listed({
  sender: "\u009b2J@x",
  recipients: [{ address: "\u202eevil@x", delay_reason: "x\u0085y\u061cz\u{e0041}" }],
});
const UNSEEN = /(?!\n)[\p{Cc}\p{Cf}]/u;

async function* each<T>(values: readonly T[]): AsyncGenerator<T> {
  for (const value of values) yield await Promise.resolve(value);
}

async function text(pieces: AsyncIterable<string>): Promise<string> {
  let text = "";
  for await (const piece of pieces) text += piece;
  return text;
}

Deno.test("mailq prints what Postfix prints", async () => {
  const messages = [
    listed(),
    listed({
      queue_id: "4jWb0l1yZvzJDLZ",
      queue_name: "hold",
      sender: "",
      message_size: 249,
      recipients: [
        { address: "b@example.com", delay_reason: REFUSED },
        { address: "a b@example.org", delay_reason: REFUSED },
      ],
    }),
    listed({
      queue_id: "4jWb1j0jWRzJDLj",
      queue_name: "active",
      message_size: 2384,
      recipients: [
        { address: "c@example.com", delay_reason: `delivery temporarily suspended: ${REFUSED}` },
        { address: "d@example.com" },
        { address: "e@example.com", bounce_reason: "unknown user" },
        { address: "f@example.com", other_reason: "delivers to maildir" },
      ],
    }),
  ];
  assertEquals(
    await text(mailqText(each(messages))),
    `----Queue ID----- --Size-- ---Arrival Time---- --Sender/Recipient------
4jWb0l24cGzJDLg        263 Sat Nov 21 01:56:39 a@mail.example.com
                       (connect to 127.0.0.1[127.0.0.1]:1: Connection refused)
                                               t@example.org

4jWb0l1yZvzJDLZ!       249 Sat Nov 21 01:56:39 MAILER-DAEMON
                       (connect to 127.0.0.1[127.0.0.1]:1: Connection refused)
                                               b@example.com
                                               "a b"@example.org

4jWb1j0jWRzJDLj*      2384 Sat Nov 21 01:56:39 a@mail.example.com
(delivery temporarily suspended: connect to 127.0.0.1[127.0.0.1]:1: Connection refused)
                                               c@example.com
                                               d@example.com
                                                                (unknown user)
                                               e@example.com
                                                         (delivers to maildir)
                                               f@example.com

-- 2 Kbytes in 3 Requests.
`,
  );
});

Deno.test("mailq of one message says Request, of none that the queue is empty", async () => {
  const one = await text(mailqText(each([listed()])));
  assertEquals(one.endsWith("\n-- 0 Kbytes in 1 Request.\n"), true);
  assertEquals(await text(mailqText(each([]))), "Mail queue is empty\n");
});

Deno.test("mailq pads the day of the month with a space", async () => {
  const arrival_time = new Date(2026, 0, 2, 3, 4, 5).getTime() / 1000;
  const line = (await text(mailqText(each([listed({ arrival_time })])))).split("\n")[1];
  assertEquals(line, "4jWb0l24cGzJDLg        263 Fri Jan  2 03:04:05 a@mail.example.com");
});

Deno.test("mailq joins the lines of a message with many recipients", async () => {
  const parts = [listed(), listed({ recipients: [{ address: "u@example.org" }] })];
  const lines = (await text(mailqText(each(parts)))).split("\n");
  assertEquals(lines[4], " ".repeat(47) + "u@example.org");
  assertEquals(lines.at(-2), "-- 0 Kbytes in 1 Request.");
});

Deno.test("mailq keeps its columns for ids of any length that qmgr gives", async () => {
  const rows = [
    listed({ queue_id: "4jWb0l24cGzJDLg" }),
    listed({ queue_id: "4jWb0l24cGzJDLgBCDF" }),
    listed({ queue_id: "4jWb0l24cGzJDLgBCDG", queue_name: "active" }),
  ];
  const lines = (await text(mailqText(each(rows)))).split("\n")
    .filter((line) => line.startsWith("4j"));
  assertEquals(lines.map((line) => line.indexOf(" 263 Sat Nov")), [22, 22, 22]);
});

Deno.test("mailq lets no escape sequence through to the terminal", async () => {
  const shown = await text(mailqText(each([HOSTILE])));
  assertEquals(UNSEEN.test(shown), false);
});

Deno.test("postqueue -j escapes what a terminal would act on, and programs read it back", async () => {
  const shown = await text(jsonLines(each([HOSTILE])));
  assertEquals(UNSEEN.test(shown), false);
  const { sender, recipients } = JSON.parse(shown);
  assertEquals([sender, recipients], [HOSTILE.sender, HOSTILE.recipients]);
});

Deno.test("postqueue -j prints what Postfix prints", async () => {
  const messages = [
    listed({ arrival_time: 1795226199 }),
    listed({
      arrival_time: 1795226199,
      queue_id: "4jWb0l1yZvzJDLZ",
      sender: "",
      recipients: [
        { address: "q x@example.net", orig_address: "q" },
        { address: "r@x", bounce_reason: "no" },
        { address: "s@x", other_reason: "yes" },
      ],
    }),
    listed({ arrival_time: 0, queue_id: "4jWb1j0jWRzJDLj", recipients: [] }),
  ];
  assertEquals(
    await text(jsonLines(each(messages))),
    `{"queue_name": "deferred", "queue_id": "4jWb0l24cGzJDLg", "arrival_time": 1795226199, "message_size": 263, "forced_expire": false, "sender": "a@mail.example.com", "recipients": [{"address": "t@example.org", "delay_reason": "connect to 127.0.0.1[127.0.0.1]:1: Connection refused"}]}
{"queue_name": "deferred", "queue_id": "4jWb0l1yZvzJDLZ", "arrival_time": 1795226199, "message_size": 263, "forced_expire": false, "sender": "MAILER-DAEMON", "recipients": [{"orig_address": "q", "address": "\\"q x\\"@example.net"}, {"address": "r@x", "bounce_reason": "no"}, {"address": "s@x", "other_reason": "yes"}]}
{"queue_name": "deferred", "queue_id": "4jWb1j0jWRzJDLj", "arrival_time": 0, "message_size": 263, "forced_expire": false, "sender": "a@mail.example.com", "recipients": []}
`,
  );
});

Deno.test("postqueue -j joins the lines of a message with many recipients, and prints nothing of none", async () => {
  const parts = [listed(), listed({ recipients: [{ address: "u@example.org" }] })];
  const printed = await text(jsonLines(each(parts)));
  assertEquals(JSON.parse(printed).recipients.length, 2);
  assertEquals(await text(jsonLines(each([]))), "");
});
