import { assertEquals, assertMatch } from "@std/assert";
import { type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import {
  content,
  deliverer,
  logged,
  request,
  type Script,
  settings,
  StubServer,
} from "./stub_test_server.ts";

const LABEL = "me.test[";

Deno.test("deliver() gives LMTP recipients one reply each, over a unix socket", async () => {
  const path = `${Deno.makeTempDirSync()}/lmtp`;
  await using server = await new StubServer({
    RCPT: (line) => line.includes("bad") ? "550 5.1.1 no" : "250 ok",
    ".": (n) => ["250 2.0.0 first", "452 4.2.2 full", "550 5.7.1 third"][Number(n)]!,
  }, true).listen(path);
  const agent = deliverer(settings({}, "lmtp"));
  const reply = await agent.deliver(
    request(`unix:${path}`, ["a@x", "bad@x", "b@x", "c@x"]),
    content(),
  );
  agent.pool.close();
  assertEquals(reply.outcomes.map((each) => [each.n, each.status, each.text]), [
    [1, "bounced", `host ${LABEL}${path}] said: 550 5.1.1 no (in reply to RCPT TO command)`],
    [0, "sent", "250 2.0.0 first"],
    [3, "bounced", `host ${LABEL}${path}] said: 550 5.7.1 third (in reply to end of DATA command)`],
    [2, "deferred", `host ${LABEL}${path}] said: 452 4.2.2 full (in reply to end of DATA command)`],
  ]);
  assertEquals(server.commands[0]![0], "LHLO me.test");
  assertMatch(logged()[1]!, /relay=me\.test\[\/.*\/lmtp\], delay=/);
});

Deno.test("deliver() names the relay of a success that somebody wants to hear of, and of no other", async () => {
  await using server = await new StubServer().listen();
  const asked = request(server.nexthop, ["wants@x", "does-not@x"]);
  asked.recipients[0]!.notify.push("SUCCESS");
  const { outcomes } = await deliverer().deliver(asked, content());
  assertEquals(outcomes.map(({ relay }) => relay), [
    `127.0.0.1[127.0.0.1]:${server.port}`,
    undefined,
  ]);
});

Deno.test("deliver() defers LMTP recipients whose reply never came, and only those", async () => {
  let left = 0;
  await using server = await new StubServer({
    ".": () => left++ === 0 ? "250 2.0.0 first" : "close",
  }, true).listen();
  const reply = await deliverer(settings({}, "lmtp")).deliver(
    request(server.nexthop, ["a@x", "b@x"]),
    content(),
  );
  assertEquals(reply.outcomes.map((each) => [each.n, each.status, each.dsn]), [
    [0, "sent", "2.0.0"],
    [1, "deferred", "4.4.2"],
  ]);
});

Deno.test("deliver() says where a unix socket is missing", async () => {
  const reply = await deliverer(settings({}, "lmtp")).deliver(
    request("unix:/nonexistent/lmtp"),
    content(),
  );
  assertEquals(
    reply.outcomes[0]!.text,
    "connect to me.test[/nonexistent/lmtp]: No such file or directory",
  );
});

/** A key for the test's server alone. */
function certificate(): { key: string; cert: string } {
  const directory = Deno.makeTempDirSync();
  const { success } = new Deno.Command("openssl", {
    args:
      `req -x509 -newkey rsa:2048 -nodes -keyout ${directory}/key -out ${directory}/cert -days 2 -subj /CN=mx.test`
        .split(" "),
    stdout: "null",
    stderr: "null",
  }).outputSync();
  if (!success) throw new Error("openssl did not make a certificate");
  return {
    key: Deno.readTextFileSync(`${directory}/key`),
    cert: Deno.readTextFileSync(`${directory}/cert`),
  };
}

const OFFER = "250-mx.test\r\n250-PIPELINING\r\n250 STARTTLS";

/**
 * A server that offers STARTTLS; inside TLS it answers each command, but breaks off at the one that `tls` names, with `goodbye` if
 * there is one. With false there is no TLS to be had.
 */
async function withTls(
  script: Script,
  tls: boolean | string,
  changed: Record<string, string>,
  age = 0,
  goodbye = "",
) {
  const inside: string[] = [];
  const sockets = new Set<Socket>();
  const secured = tls && createTlsServer(certificate(), (socket) => {
    socket.on("error", () => {});
    let inData = false;
    socket.on("data", (data: Uint8Array) => {
      for (const line of new TextDecoder().decode(data).split("\r\n").slice(0, -1)) {
        inside.push(line);
        if (typeof tls === "string" && line.startsWith(tls)) {
          return void (goodbye ? socket.end(goodbye) : socket.destroy());
        }
        if (inData && line !== ".") continue;
        const data = line === "DATA";
        inData = data;
        socket.write(
          line.startsWith("EHLO")
            ? "250-mx.test\r\n250 PIPELINING\r\n"
            : data
            ? "354 go\r\n"
            : "250 2.0.0 secured\r\n",
        );
      }
    });
  });
  await using server = await new StubServer({
    EHLO: OFFER,
    STARTTLS: () => {
      for (const socket of server_().sockets) {
        if (!secured) {
          socket.write("220 go\r\nthis is no TLS\r\n");
          continue;
        }
        socket.removeAllListeners("data");
        sockets.add(socket);
        // What is sent in the same packet as the 220 must not be believed.
        socket.write("220 go\r\n250-injected\r\n250 SMTPUTF8\r\n");
        socket.pause(); // The first bytes of TLS wait for whoever understands them.
        setTimeout(() => secured.emit("connection", socket), 20);
      }
      return "silence";
    },
    ...script,
  }).listen();
  function server_(): StubServer {
    return server;
  }
  const agent = deliverer(settings({ smtp_tls_loglevel: "1", ...changed }));
  const reply = await agent.deliver(
    request(server.nexthop, undefined, { arrived: Date.now() - age }),
    content(),
  );
  agent.pool.close();
  const port = server.port;
  const { commands: outside, contents } = server;
  return { reply, inside, outside, contents, lines: logged(), port };
}

const NO_OPENSSL = !["/usr/bin/openssl", "/usr/local/bin/openssl"].some((path) => {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
});

Deno.test({
  name: "deliver() uses TLS where it is offered, and forgets what came before it",
  ignore: NO_OPENSSL,
  // The TLS server of the runtime outlives its sockets for a moment.
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    const { reply, inside, outside, lines, port } = await withTls({}, true, {
      smtp_tls_security_level: "may",
    });
    assertEquals(reply.outcomes[0]!.text, "250 2.0.0 secured");
    assertEquals(outside, [["EHLO me.test", "STARTTLS"]]);
    assertEquals(inside.slice(0, 2), ["EHLO me.test", "MAIL FROM:<from@example.org>"]);
    assertMatch(
      lines[0]!,
      new RegExp(
        `^Untrusted TLS connection established to 127\\.0\\.0\\.1\\[127\\.0\\.0\\.1\\]:${port}: ` +
          "TLSv1\\.[23] with cipher \\S+ \\((128|256)/(128|256) bits\\)$",
      ),
    );
  },
});

for (
  const [why, script, level, age, dsn, text] of [
    [
      "is not offered but required",
      { EHLO: "250 mx.test" },
      "encrypt",
      0,
      "4.7.4",
      /^TLS is required, but was not offered by host 127/,
    ],
    [
      "is refused but required",
      { STARTTLS: "454 4.7.0 no key" },
      "encrypt",
      0,
      "4.7.4",
      /^TLS is required, but host \S+ refused to start TLS: 454 4\.7\.0 no key$/,
    ],
    ["is refused and not required", { STARTTLS: "454 no" }, "may", 0, "2.0.0", /^250/],
    ["fails for fresh mail", {}, "may", 0, "4.7.5", /^Cannot start TLS: handshake failure$/],
    ["fails for old mail", {}, "may", 301_000, "2.0.0", /^250/],
    [
      "breaks off at once for fresh mail",
      { STARTTLS: "close" },
      "may",
      0,
      "4.4.2",
      /^lost connection with \S+ while performing the STARTTLS handshake$/,
    ],
    ["breaks off at once for old mail", { STARTTLS: "close" }, "may", 301_000, "2.0.0", /^250/],
    [
      "is refused with a goodbye",
      { STARTTLS: "421 4.7.0 busy" },
      "may",
      0,
      "4.7.0",
      /^host \S+ refused to talk to me: 421 4\.7\.0 busy$/,
    ],
    [
      "is refused with a goodbye to old mail",
      { STARTTLS: "421 4.7.0 busy" },
      "may",
      301_000,
      "2.0.0",
      /^250/,
    ],
    [
      "fails for old mail but is required",
      {},
      "encrypt",
      301_000,
      "4.7.5",
      /^Cannot start TLS: handshake failure$/,
    ],
  ] as [string, Script, string, number, string, RegExp][]
) {
  Deno.test(`deliver() knows what to do when TLS ${why}`, async () => {
    const { reply } = await withTls(
      script,
      false,
      { smtp_tls_security_level: level, smtp_starttls_timeout: "2s" },
      age,
    );
    assertEquals(reply.outcomes[0]!.dsn, dsn);
    assertMatch(reply.outcomes[0]!.text, text);
  });
}

for (
  const [verb, level, age, dsn, plain] of [
    ["EHLO", "may", 301_000, "2.0.0", 1],
    ["MAIL", "may", 301_000, "2.0.0", 1],
    ["DATA", "may", 301_000, "2.0.0", 1],
    [".", "may", 301_000, "4.4.2", 0],
    ["EHLO", "may", 0, "4.4.2", 0],
    ["MAIL", "may", 0, "4.4.2", 0],
    ["MAIL", "encrypt", 301_000, "4.4.2", 0],
  ] as const
) {
  const does = plain ? "sends in plain text" : "defers";
  Deno.test({
    name: `deliver() ${does} mail ${
      age / 1000
    } s old when TLS, level ${level}, breaks at "${verb}"`,
    ignore: NO_OPENSSL,
    sanitizeOps: false,
    sanitizeResources: false,
    async fn() {
      const changed = { smtp_tls_security_level: level };
      const { reply, contents, inside } = await withTls({}, verb, changed, age);
      assertEquals(reply.outcomes.map((each) => each.dsn), [dsn]);
      assertEquals([inside.at(-1)!.split(" ")[0], contents.length], [verb, plain]);
    },
  });
}

for (const verb of ["EHLO", "MAIL", "RCPT", "DATA"]) {
  Deno.test({
    name: `deliver() defers old mail when a server says 421 to "${verb}" inside TLS, and leaves`,
    ignore: NO_OPENSSL,
    sanitizeOps: false,
    sanitizeResources: false,
    async fn() {
      const changed = { smtp_tls_security_level: "may" };
      const goodbye = "421 4.7.0 Too many\r\n";
      const { reply, outside, inside } = await withTls({}, verb, changed, 301_000, goodbye);
      assertEquals(reply.outcomes.map((each) => [each.status, each.dsn]), [["deferred", "4.7.0"]]);
      assertEquals([inside.at(-1)!.split(" ")[0], outside.length], [verb, 1]);
    },
  });
}

Deno.test({
  name: "deliver() defers what the runtime does not let it reach, and names the parameter",
  permissions: { net: ["127.0.0.1:25"], read: true, env: true, sys: true },
  async fn() {
    const reply = await deliverer().deliver(request("[127.0.0.1]:2526"), content());
    const [outcome] = reply.outcomes;
    assertEquals([outcome!.status, outcome!.dsn], ["deferred", "4.3.5"]);
    assertEquals(
      outcome!.text,
      "connect to 127.0.0.1[127.0.0.1]:2526: port 2526 is not allowed here: add it to smtp_allowed_ports, or reload if a table has it now",
    );
    const unix = await deliverer(settings({}, "lmtp")).deliver(request("unix:/run/x"), content());
    assertEquals([unix.outcomes[0]!.status, unix.outcomes[0]!.dsn], ["deferred", "4.3.5"]);
  },
});
