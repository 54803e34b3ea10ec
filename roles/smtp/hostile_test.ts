/** Servers that mean harm, or are broken (issue "Bad input"): bounded, deferred, and printable in logs and reasons. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { createServer, type Socket } from "node:net";
import {
  content,
  deliverer,
  logged,
  request,
  type Script,
  settings,
  slowly,
  streamed,
  StubServer,
} from "./stub_test_server.ts";
import { pause } from "../../tests/support/waiting.ts";

const H = "127.0.0.1[127.0.0.1]";

async function outcome(
  script: Script,
  changed: Record<string, string> = {},
  recipients?: string[],
  protocol: "smtp" | "lmtp" = "smtp",
) {
  await using server = await new StubServer(script, protocol === "lmtp").listen();
  const agent = deliverer(settings(changed, protocol));
  const reply = await agent.deliver(request(server.nexthop, recipients), content());
  agent.pool.close();
  return reply;
}

/** A server that writes by itself from the first command `after` on; `speak` gets the socket. */
class Speaker implements AsyncDisposable {
  #sockets = new Set<Socket>();
  #stopped = false;
  written = 0;
  #server;

  constructor(speak: (socket: Socket, speaker: Speaker) => void) {
    this.#server = createServer({ noDelay: true }, (socket) => {
      this.#sockets.add(socket);
      socket.on("error", () => {});
      socket.on("data", () => {});
      speak(socket, this);
    });
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return `[127.0.0.1]:${(this.#server.address() as { port: number }).port}`;
  }

  /** Writes `piece` again and again, as fast as it is read, up to `limit` bytes. */
  pour(socket: Socket, piece: string, limit = 200 * 1024 * 1024): void {
    const bytes = new TextEncoder().encode(piece);
    const more = () => {
      while (!this.#stopped && !socket.destroyed && this.written < limit) {
        this.written += bytes.length;
        if (!socket.write(bytes)) return void socket.once("drain", more);
      }
    };
    more();
  }

  /** Writes `piece` every so many milliseconds. */
  drip(socket: Socket, piece: string, milliseconds: number): void {
    const timer = setInterval(() => {
      if (this.#stopped || socket.destroyed) clearInterval(timer);
      else socket.write(piece);
    }, milliseconds);
    socket.on("close", () => clearInterval(timer));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

for (
  const [why, piece] of [
    ["a greeting line without end", "2".repeat(64 * 1024)],
    ["a greeting of endless lines", "220-more\r\n".repeat(6000)],
    ["endless empty lines", "\n".repeat(64 * 1024)],
    ["endless replies nobody asked for", "220 mx ESMTP\r\n".repeat(4000)],
  ] as const
) {
  Deno.test(`deliver() leaves a server that sends ${why}`, async () => {
    await using speaker = new Speaker((socket, each) => each.pour(socket, piece));
    const agent = deliverer();
    const reply = await agent.deliver(request(await speaker.listen()), content());
    agent.pool.close();
    assertEquals(reply.outcomes[0]!.status, "deferred");
    // What the buffers of the system hold is not ours to bound.
    assert(speaker.written < 100 * 1024 * 1024, `${speaker.written} bytes were taken`);
  });
}

Deno.test("deliver() keeps few of the replies that pour in while content is sent", async () => {
  await using speaker = new Speaker((socket, each) => {
    socket.write("220 mx\r\n");
    const replies = ["250 mx", "250 ok", "250 ok", "354 go"];
    socket.on("data", () => {
      const next = replies.shift();
      if (next) return void socket.write(`${next}\r\n`);
      // The first of the content: from now on it talks, and reads nothing.
      socket.pause();
      each.pour(socket, `${"450-x\r\n".repeat(900)}450 ${"y".repeat(100_000)}\r\n`, 1 << 30);
    });
  });
  const made = streamed(["a\r\n"]);
  const slow = slowly(made, () => pause(1500));
  const agent = deliverer();
  const asked = request(await speaker.listen());
  const reply = await agent.deliver(asked, slow);
  agent.pool.close();
  assertEquals(reply.outcomes[0]!.status, "deferred");
  assert(speaker.written < 50 * 1024 * 1024, `${speaker.written} bytes were taken`);
});

Deno.test("deliver() leaves a server whose EHLO reply has 10 megabytes", async () => {
  const reply = await outcome({ EHLO: "250-mx\r\n".repeat(1_300_000) + "250 ok" });
  assertEquals(reply.outcomes.map((each) => [each.status, each.dsn]), [["deferred", "4.5.0"]]);
  assertMatch(
    reply.outcomes[0]!.text,
    /^protocol error of .* performing the EHLO handshake: reply/,
  );
});

Deno.test("deliver() survives an EHLO keyword of 10 megabytes in a line", async () => {
  const reply = await outcome({ EHLO: `250 ${"x".repeat(10_000_000)}` });
  assertEquals(reply.outcomes[0]!.status, "deferred");
});

Deno.test("deliver() takes no property of an object for an EHLO keyword", async () => {
  const reply = await outcome({
    EHLO: "250-mx\r\n250-__proto__\r\n250-constructor\r\n250 SIZE -1",
  });
  assertEquals(reply.outcomes[0]!.status, "sent");
});

/** The step, what is said there, and the class of the enhanced status that must come of it. */
const WRONG: [string, Script, string][] = [
  ["the greeting", { CONNECT: "354 go" }, "4"],
  ["the greeting", { CONNECT: "250 ok" }, "4"],
  ["EHLO and HELO", { EHLO: "354 go", HELO: "354 go" }, "4"],
  ["MAIL", { MAIL: "354 go" }, "4"],
  ["MAIL", { MAIL: "999 what" }, "4"],
  ["MAIL", { MAIL: "55" }, "4"],
  ["RCPT", { RCPT: "354 go" }, "4"],
  ["RCPT", { RCPT: "hello" }, "4"],
  ["DATA", { DATA: "220 hello" }, "4"],
  ["DATA", { DATA: "5000 no" }, "4"],
  ["the end of data", { ".": "354 more" }, "4"],
  ["the end of data", { ".": "25O 2.0.0 ok" }, "4"],
  ["the end of data", { ".": "150 ok" }, "4"],
  ["the end of data", { ".": "-250 ok" }, "4"],
];

for (const [step, script, expected] of WRONG) {
  const [said] = Object.values(script);
  Deno.test(`deliver() takes "${said}" at ${step} for neither yes nor no`, async () => {
    const reply = await outcome(script);
    assertEquals(reply.outcomes[0]!.status, "deferred");
    assertEquals(reply.outcomes[0]!.dsn[0], expected);
  });
}

Deno.test("deliver() believes no 250 that comes before the content is through", async () => {
  await using server = await new StubServer({ DATA: "354 go\r\n250 2.0.0 got it already" })
    .listen();
  const made = streamed(["a\r\n".repeat(1000)]);
  const slow = slowly(made, () => pause(100));
  const agent = deliverer();
  const reply = await agent.deliver(request(server.nexthop), slow);
  agent.pool.close();
  assertEquals([reply.outcomes[0]!.status, reply.outcomes[0]!.dsn], ["deferred", "4.5.0"]);
});

Deno.test("deliver() believes no 250 that comes between the last of the content and its end", async () => {
  const early = Promise.withResolvers<void>();
  await using server = await new StubServer({
    DATA: () => {
      setTimeout(() => {
        for (const each of server.sockets) each.write("250 2.0.0 early\r\n", () => early.resolve());
      }, 30);
      return "354 go";
    },
    ".": "550 5.7.1 no",
  }).listen();
  const agent = deliverer();
  const slow = slowly(streamed([]), async () => {
    await early.promise;
    // Until it is read, however long the machine does other things: sockets have their turn between timers.
    for (let turns = 0; turns < 20; turns++) await pause(5);
  });
  const reply = await agent.deliver(request(server.nexthop), slow);
  agent.pool.close();
  assertEquals([reply.outcomes[0]!.status, reply.outcomes[0]!.dsn], ["deferred", "4.5.0"]);
  assertEquals(server.contents, []);
});

Deno.test("deliver() believes no 250 that comes in one packet with the 354", async () => {
  const reply = await outcome({ DATA: "354 go\r\n250 2.0.0 got it already", ".": "silence" }, {
    smtp_data_done_timeout: "1s",
  });
  assertEquals(reply.outcomes[0]!.status, "deferred");
});

Deno.test("deliver() believes no replies that come in one packet with the greeting", async () => {
  const early = "220 mx ESMTP\r\n250 mx\r\n250 ok\r\n250 ok\r\n354 go\r\n250 2.0.0 all done";
  const reply = await outcome({
    CONNECT: early,
    EHLO: "silence",
    MAIL: "silence",
    RCPT: "silence",
    DATA: "silence",
    ".": "silence",
  }, { smtp_helo_timeout: "1s" });
  assertEquals(reply.outcomes[0]!.status, "deferred");
});

for (
  const [step, script, timeout] of [
    ["the greeting", "", "smtp_helo_timeout"],
    ["EHLO", "220 mx ESMTP\r\n", "smtp_helo_timeout"],
    ["MAIL", "220 mx ESMTP\r\n250 mx\r\n", "smtp_mail_timeout"],
    ["RCPT", "220 mx ESMTP\r\n250 mx\r\n250 ok\r\n", "smtp_rcpt_timeout"],
    ["DATA", "220 mx ESMTP\r\n250 mx\r\n250 ok\r\n250 ok\r\n", "smtp_data_init_timeout"],
    [
      "the end of data",
      "220 mx ESMTP\r\n250 mx\r\n250 ok\r\n250 ok\r\n354 go\r\n",
      "smtp_data_done_timeout",
    ],
  ] as const
) {
  Deno.test(`deliver() waits ${timeout} in all for ${step} from a server of a byte now and then`, async () => {
    await using speaker = new Speaker((socket, each) => {
      const steps = script.split("\r\n").slice(0, -1);
      const next = () => {
        const line = steps.shift();
        if (line === undefined) return each.drip(socket, "2", 100);
        socket.write(line + "\r\n");
        socket.once("data", next);
      };
      next();
    });
    const agent = deliverer(settings({ [timeout]: "1s" }));
    const reply = await agent.deliver(request(await speaker.listen()), content());
    agent.pool.close();
    assertMatch(reply.outcomes[0]!.text, /^conversation with .* timed out while /);
  });
}

/** A record of TLS with a ServerHello of 16 KB, of which these are the first bytes. */
const SERVER_HELLO = "\x16\x03\x03\x40\x00\x02\x00\x3f\xfc";

for (const [why, drips] of [["says nothing in", false], ["drips", true]] as const) {
  Deno.test(`deliver() gives a server that ${why} its TLS handshake smtp_starttls_timeout`, async () => {
    await using speaker = new Speaker((socket, each) => {
      socket.write("220 mx ESMTP\r\n");
      socket.on("data", (data: Uint8Array) => {
        const said = String.fromCharCode(...data.subarray(0, 8));
        if (said === "STARTTLS") socket.write("220 go\r\n");
        else if (said.startsWith("EHLO")) socket.write("250-mx\r\n250 STARTTLS\r\n");
        else if (drips) {
          socket.write(SERVER_HELLO, "latin1");
          each.drip(socket, "\0", 100);
        }
      });
    });
    const agent = deliverer(
      settings({ smtp_tls_security_level: "encrypt", smtp_starttls_timeout: "1s" }),
    );
    const reply = await agent.deliver(request(await speaker.listen()), content());
    agent.pool.close();
    assertEquals([reply.outcomes[0]!.status, reply.outcomes[0]!.dsn], ["deferred", "4.7.5"]);
    const lines = logged();
    assert(lines.some((line) => line.includes("Connection timed out")), lines.join("\n"));
  });
}

for (const [why, piece] of [["lines", "220-more\r\n"], ["bytes", "2"]] as const) {
  Deno.test(`deliver() gives a reply of endless ${why} one deadline`, async () => {
    await using speaker = new Speaker((socket, each) => each.drip(socket, piece, 50));
    const agent = deliverer(settings({ smtp_helo_timeout: "1s" }));
    const reply = await agent.deliver(request(await speaker.listen()), content());
    agent.pool.close();
    assertMatch(reply.outcomes[0]!.text, /timed out while receiving the initial server greeting$/);
  });
}

Deno.test("deliver() makes what a server says printable, in the outcome and in the log", async () => {
  const nasty = "\0\x1b[31m\u0085\u2028\u202e\u061c\u200b\u{e0041}\x7f\xff";
  for (
    const script of [
      { RCPT: `550 5.1.1 ${nasty}no` },
      { ".": `550 5.7.1 ${nasty}no` },
      { CONNECT: `554 ${nasty}no` },
      { ".": `250 2.0.0 ${nasty}ok` },
    ]
  ) {
    const reply = await outcome(script, { smtp_skip_5xx_greeting: "no" });
    const [{ text, diagnostic } = { text: "", diagnostic: "" }] = reply.outcomes;
    for (const shown of [text, diagnostic, ...logged()]) {
      assert(!/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(shown), JSON.stringify(shown));
    }
    assertMatch(text, /(no|ok)/);
  }
});

Deno.test("deliver() keeps a reply of many long lines within the bounds of an outcome", async () => {
  const long = Array.from({ length: 30 }, () => "550-" + "x".repeat(3000)).join("\r\n");
  const reply = await outcome({ RCPT: `${long}\r\n550 5.1.1 no` });
  assertEquals(reply.outcomes[0]!.status, "bounced");
  assertEquals(reply.outcomes[0]!.text.length, 2000);
  assertEquals(reply.outcomes[0]!.diagnostic.length, 2000);
});

Deno.test("deliver() defers LMTP recipients that get no reply after the dot", async () => {
  const script: Script = { ".": (n) => n === "0" ? "250 2.0.0 first" : "silence" };
  const reply = await outcome(script, { lmtp_data_done_timeout: "1s" }, ["a@x", "b@x"], "lmtp");
  assertEquals(reply.outcomes.map((each) => [each.n, each.status, each.dsn]), [
    [0, "sent", "2.0.0"],
    [1, "deferred", "4.4.2"],
  ]);
});

Deno.test("deliver() uses no session again on which LMTP replies are left over", async () => {
  await using server = await new StubServer(
    { ".": "250 2.0.0 one\r\n250 2.0.0 and one more" },
    true,
  )
    .listen();
  const agent = deliverer(settings({}, "lmtp"));
  const first = await agent.deliver(request(server.nexthop, ["a@x"], { keep: true }), content());
  assertEquals(first.outcomes[0]!.text, "250 2.0.0 one");
  await agent.deliver(request(server.nexthop, ["b@x"], { keep: true }), content());
  agent.pool.close();
  assertEquals(server.commands.length, 2);
  assertEquals(server.commands[1]![0], "LHLO me.test");
});

Deno.test("deliver() takes no left over reply for the next message's", async () => {
  // The second reply arrives while the session is idle, or just when it is used again.
  let at = 0;
  await using server = await new StubServer({
    ".": () => at++ === 0 ? "250 2.0.0 one\r\n250 2.0.0 surplus" : "550 5.7.1 never",
  }).listen();
  const agent = deliverer();
  await agent.deliver(request(server.nexthop, undefined, { keep: true }), content());
  const second = await agent.deliver(request(server.nexthop, undefined, { keep: true }), content());
  agent.pool.close();
  assertEquals(second.outcomes[0]!.status, "bounced");
  assertEquals(second.outcomes[0]!.text.includes(H), true);
});
