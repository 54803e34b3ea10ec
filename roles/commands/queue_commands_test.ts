import { assertEquals, assertMatch } from "@std/assert";
import { fakeIo } from "../../tests/support/fake_io.ts";
import { mailq } from "./mailq.ts";
import { postcat } from "./postcat.ts";
import { postqueue } from "./postqueue.ts";
import { postsuper } from "./postsuper.ts";
import { IDS, left, withQueue } from "./test_queue.ts";

Deno.test("postqueue -p and mailq read the queue themselves while the system is down", () =>
  withQueue(async (io) => {
    assertEquals(await postqueue(["-p"], io), 0);
    assertMatch(
      io.written.err,
      /^postqueue: warning: Mail system is down -- accessing queue directly \(/,
    );
    const lines = io.written.out.split("\n");
    assertEquals(lines[1], `${IDS[0]}         34 Sat Nov 21 01:56:39 MAILER-DAEMON`);
    assertEquals(lines[4], `${IDS[1]}!        34 Sat Nov 21 01:56:39 me@example.com`);
    assertEquals(lines.at(-2), "-- 0 Kbytes in 3 Requests.");
    const printed = io.written.out;
    io.written.out = "";
    assertEquals(await mailq([], io), 0);
    assertEquals(io.written.out, printed);
  }));

Deno.test("postqueue -p of a system that never ran says that the queue is empty", async () => {
  const io = fakeIo();
  try {
    assertEquals(await postqueue(["-p"], io), 0);
    assertEquals(io.written.out, "Mail queue is empty\n");
  } finally {
    io.remove();
  }
});

const WRONG: [string[], number, RegExp][] = [
  [[], 64, /fatal: usage: postqueue -f \| /],
  [["-f", "x"], 64, /fatal: usage: postqueue/],
  [["-i"], 64, /fatal: usage: postqueue/],
  [["-i", "a b"], 64, /fatal: Cannot flush queue ID - invalid name: "a b"/],
  [["-s", "a b"], 64, /fatal: Cannot flush mail queue - invalid destination/],
  [["-f"], 69, /fatal: Cannot flush mail queue - mail system is down/],
];

for (const [args, code, why] of WRONG) {
  Deno.test(`postqueue ${args.join(" ")} of a system that is down exits ${code} and says why`, async () => {
    const io = fakeIo();
    try {
      assertEquals(await postqueue(args, io), code);
      assertMatch(io.written.err, why);
      assertEquals(io.written.out, "");
    } finally {
      io.remove();
    }
  });
}

Deno.test("postsuper -d by id names each message and counts them", () =>
  withQueue(async (io) => {
    assertEquals(await postsuper(["-d", IDS[0], "-d", "NOSUCH"], io), 0);
    assertEquals(
      io.written.err,
      `postsuper: ${IDS[0]}: removed\npostsuper: Deleted: 1 message\n`,
    );
    assertEquals(await left(io), [`hold ${IDS[1]}`, `incoming ${IDS[2]}`]);
  }));

Deno.test("postsuper -h, -H and -r say what they did", () =>
  withQueue(async (io) => {
    await postsuper(["-h", "ALL"], io);
    await postsuper(["-H", IDS[0]], io);
    await postsuper(["-r", IDS[0], "-r", IDS[1]], io);
    assertEquals(
      io.written.err,
      `postsuper: Placed on hold: 2 messages
postsuper: ${IDS[0]}: released from hold
postsuper: Released from hold: 1 message
postsuper: ${IDS[0]}: requeued
postsuper: ${IDS[1]}: requeued
postsuper: Requeued: 2 messages
`,
    );
    assertEquals(await left(io), [
      `incoming ${IDS[0]}`,
      `incoming ${IDS[1]}`,
      `hold ${IDS[2]}`,
    ]);
  }));

Deno.test("postsuper -d - takes ids from standard input", () =>
  withQueue(async (io) => {
    assertEquals(await postsuper(["-d", "-"], io), 0);
    assertMatch(io.written.err, /Deleted: 2 messages\n$/);
    assertEquals(await left(io), [`incoming ${IDS[2]}`]);
  }, `${IDS[0]}\n\n  ${IDS[1]}\n`));

Deno.test("postsuper -d - names each line that is no id, and does the rest", () =>
  withQueue(
    async (io) => {
      assertEquals(await postsuper(["-d", "-"], io), 0);
      assertEquals(
        io.written.err,
        `postsuper: warning: invalid mail queue id: ${IDS[1]}!
postsuper: warning: invalid mail queue id: -- 0 Kbytes in 3 Requests.
postsuper: warning: invalid mail queue id: ?[2J
postsuper: ${IDS[0]}: removed
postsuper: ${IDS[2]}: removed
postsuper: Deleted: 2 messages
`,
      );
      assertEquals(await left(io), [`hold ${IDS[1]}`]);
    },
    `${IDS[0]}\n${IDS[1]}!\n-- 0 Kbytes in 3 Requests.\n\x1b[2J\n${IDS[2]}`,
  ));

Deno.test("postsuper names an argument that is no id, and does the rest", () =>
  withQueue(async (io) => {
    assertEquals(await postsuper(["-d", "../x", "-d", IDS[0], "-h", ""], io), 0);
    assertEquals(
      io.written.err,
      `postsuper: warning: invalid mail queue id: ../x
postsuper: warning: invalid mail queue id: ${""}
postsuper: ${IDS[0]}: removed
postsuper: Deleted: 1 message
postsuper: Placed on hold: 0 messages
`,
    );
  }));

for (const args of [["-d", "-"], ["-h", "-"], ["-H", "-"], ["-r", "-"], ["-d", "-", "hold"]]) {
  Deno.test(`postsuper ${args.join(" ")} takes ALL on standard input for an id, of no message`, () =>
    withQueue(async (io) => {
      const before = await left(io);
      assertEquals(await postsuper(args, io), 0);
      assertMatch(io.written.err, /^postsuper: [A-Z][a-z ]+: 0 messages\n$/m);
      assertEquals(await left(io), before);
    }, "ALL\n"));
}

Deno.test("postsuper -d ALL hold deletes what is on hold, and nothing else", () =>
  withQueue(async (io) => {
    assertEquals(await postsuper(["-d", "ALL", "hold"], io), 0);
    assertEquals(io.written.err, "postsuper: Deleted: 1 message\n");
    assertEquals(await left(io), [`incoming ${IDS[0]}`, `incoming ${IDS[2]}`]);
  }));

Deno.test("postsuper -d ALL empties the queue", () =>
  withQueue(async (io) => {
    await postsuper(["-d", "ALL"], io);
    await postsuper(["-d", "ALL"], io);
    assertEquals(
      io.written.err,
      "postsuper: Deleted: 3 messages\npostsuper: Deleted: 0 messages\n",
    );
    assertEquals(await left(io), []);
  }));

for (const args of [["-d"], ["-x"], ["-d", "ALL", "nosuch"], ["-q"]]) {
  Deno.test(`postsuper ${args.join(" ")} is refused, and nothing is done`, () =>
    withQueue(async (io) => {
      assertEquals(await postsuper(args, io), 1);
      assertEquals((await left(io)).length, 3);
    }));
}

Deno.test("postsuper -p and -s have nothing to do", () =>
  withQueue(async (io) => {
    assertEquals(await postsuper(["-p", "-s"], io), 0);
    assertEquals(io.written, { out: "", err: "" });
  }));

Deno.test("postcat -q shows a message in Postfix's layout", () =>
  withQueue(async (io) => {
    assertEquals(await postcat(["-q", IDS[0]], io), 0);
    assertEquals(
      io.written.out,
      `*** ENVELOPE RECORDS incoming/${IDS[0]} ***
message_size:              34               0               1               0              34               0
message_arrival_time: Sat Nov 21 01:56:39 2026
create_time: Sat Nov 21 01:56:39 2026
named_attribute: envelope_id=myid
named_attribute: ret_flags=2
named_attribute: rewrite_context=local
sender: 
named_attribute: notify_flags=12
named_attribute: dsn_orig_rcpt=rfc822;user@example.org
original_recipient: user
recipient: user@example.org
*** MESSAGE CONTENTS incoming/${IDS[0]} ***
Subject: x
To: y

body

end
*** HEADER EXTRACTED incoming/${IDS[0]} ***
*** MESSAGE FILE END incoming/${IDS[0]} ***
`,
    );
  }));

const PARTS: [string, string][] = [
  ["-hq", "Subject: x\nTo: y\n"],
  ["-bq", "\nbody\n\nend\n"],
  ["-bhq", "Subject: x\nTo: y\n\nbody\n\nend\n"],
];

for (const [flags, expected] of PARTS) {
  Deno.test(`postcat ${flags} shows these parts alone`, () =>
    withQueue(async (io) => {
      assertEquals(await postcat([flags, IDS[2]], io), 0);
      assertEquals(io.written.out, expected);
    }));
}

Deno.test("postcat -oq says where in the message each line begins", () =>
  withQueue(async (io) => {
    assertEquals(await postcat(["-ohbq", IDS[2]], io), 0);
    assertEquals(
      io.written.out,
      `        0 Subject: x
       12 To: y
       19${" "}
       21 body
       27${" "}
       29 end
`,
    );
    await postcat(["-oeq", IDS[2]], io);
    assertMatch(io.written.out, /\n {10}sender: me@example\.com\n/);
  }));

Deno.test("postcat -eq tells which client a message came from", () =>
  withQueue(async (io) => {
    await postcat(["-eq", IDS[2]], io);
    assertMatch(
      io.written.out,
      /named_attribute: log_message_origin=host\.example\.com\[192\.0\.2\.1\]\n/,
    );
    assertEquals(io.written.out.includes("Subject"), false);
  }));

Deno.test("postcat -eq tells of a message whose recipients are only verified", () =>
  withQueue(async (io) => {
    await postcat(["-eq", IDS[2]], io);
    assertMatch(io.written.out, /^sender: me@example\.com\nnamed_attribute: trace_flags=512\n/m);
  }));

Deno.test("postcat -q of a message that is not there exits 1", () =>
  withQueue(async (io) => {
    assertEquals(await postcat(["-q", "NOSUCH"], io), 1);
    assertMatch(
      io.written.err,
      /^postcat: fatal: open queue file NOSUCH: No such file or directory\n$/,
    );
  }));
