/** Against Postfix's own smtp-sink, in the modes that make trouble. */

import { assertEquals, assertMatch } from "@std/assert";
import { content, deliverer, request, settings, streamed } from "./stub_test_server.ts";

const SINK = "/usr/sbin/smtp-sink";

function installed(): boolean {
  try {
    return Deno.statSync(SINK).isFile;
  } catch {
    return false;
  }
}

const isRoot = Deno.uid() === 0;

/** smtp-sink on a unix socket or a free port, until disposed of. */
class Sink implements AsyncDisposable {
  #child: Deno.ChildProcess;

  private constructor(readonly port: number, args: string[]) {
    const user = isRoot ? ["-u", "nobody"] : [];
    this.#child = new Deno.Command(SINK, {
      args: [...user, ...args, `127.0.0.1:${port}`, "50"],
      stdout: "null",
      stderr: "null",
    }).spawn();
  }

  static async start(...args: string[]): Promise<Sink> {
    const probe = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = probe.addr as Deno.NetAddr;
    probe.close();
    const sink = new Sink(port, args);
    for (let i = 0; i < 3000; i++) {
      try {
        (await Deno.connect({ hostname: "127.0.0.1", port })).close();
        return sink;
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    }
    throw new Error("smtp-sink did not start");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill();
    await this.#child.status;
  }
}

async function outcome(args: string[], changed: Record<string, string> = {}) {
  await using sink = await Sink.start(...args);
  const protocol = args.includes("-L") ? "lmtp" : "smtp";
  const agent = deliverer(settings(changed, protocol));
  const reply = await agent.deliver(
    request(`[127.0.0.1]:${sink.port}`, ["a@example.com", "b@example.com"]),
    content(),
  );
  agent.pool.close();
  const [first] = reply.outcomes;
  return [first!.status, first!.text, reply.siteProblem !== null] as const;
}

for (
  const [args, status, text, site] of [
    ["", "sent", /^250 2\.0\.0 Ok$/, false],
    ["-e", "sent", /^250 /, false],
    ["-p", "sent", /^250 /, false],
    ["-8", "sent", /^250 /, false],
    ["-N -E", "sent", /^250 /, false],
    ["-L", "sent", /^250 2\.2\.0 Ok$|^250 2\.0\.0 Ok$/, false],
    ["-q CONNECT", "deferred", /^lost connection .* initial server greeting$/, true],
    ["-q EHLO", "deferred", /^lost connection .* performing the EHLO handshake$/, true],
    ["-q MAIL", "deferred", /^lost connection .* sending MAIL FROM$/, true],
    ["-q RCPT", "deferred", /^lost connection .* sending RCPT TO$/, true],
    ["-q DATA", "deferred", /^lost connection .* sending DATA command$/, true],
    ["-q .", "deferred", /^lost connection .* message may be sent more than once$/, true],
    ["-r CONNECT", "deferred", /refused to talk to me: 4/, true],
    ["-r MAIL", "deferred", /said: 450 4\.3\.0 .* \(in reply to MAIL FROM command\)$/, false],
    ["-r RCPT", "deferred", /\(in reply to RCPT TO command\)$/, false],
    ["-r DATA", "deferred", /\(in reply to DATA command\)$/, false],
    ["-r .", "deferred", /\(in reply to end of DATA command\)$/, false],
    ["-f CONNECT", "deferred", /refused to talk to me: 5/, true],
    ["-f EHLO", "sent", /^250 /, false],
    ["-f MAIL", "bounced", /said: 500 5\.3\.0 .* \(in reply to MAIL FROM command\)$/, false],
    ["-f RCPT", "bounced", /\(in reply to RCPT TO command\)$/, false],
    ["-f DATA", "bounced", /\(in reply to DATA command\)$/, false],
    ["-f .", "bounced", /\(in reply to end of DATA command\)$/, false],
    ["-Q CONNECT", "deferred", /refused to talk to me: 421/, true],
    ["-Q MAIL", "deferred", /said: 421 .* \(in reply to MAIL FROM command\)$/, false],
    ["-Q RCPT", "deferred", /said: 421 .* \(in reply to RCPT TO command\)$/, true],
    ["-Q DATA", "deferred", /said: 421 .* \(in reply to DATA command\)$/, false],
    ["-Q .", "deferred", /said: 421 .* \(in reply to end of DATA command\)$/, false],
    ["-w 1", "sent", /^250 /, false],
  ] as [string, string, RegExp, boolean][]
) {
  Deno.test({
    name: `deliver() is right about smtp-sink ${args || "as it is"}`,
    ignore: !installed(),
    async fn() {
      const [seen, said, blamed] = await outcome(args.split(" ").filter(Boolean));
      assertMatch(said, text);
      assertEquals([seen, blamed], [status, site]);
    },
  });
}

Deno.test({
  name: "deliver() waits no longer than smtp_data_init_timeout for smtp-sink",
  ignore: !installed(),
  async fn() {
    const [, text] = await outcome(["-p", "-w", "10"], { smtp_data_init_timeout: "1s" });
    assertMatch(text, /^conversation with .* timed out while sending DATA command$/);
  },
});

Deno.test({
  name: "deliver() waits no longer than smtp_data_xfer_timeout for a sink that does not read",
  ignore: !installed(),
  async fn() {
    await using sink = await Sink.start("-H", "20", "-T", "2048");
    const agent = deliverer(settings({ smtp_data_xfer_timeout: "1s" }));
    const chunks = Array.from({ length: 7 }, () => `${"x".repeat(70)}\r\n`.repeat(900));
    // Far more than the buffers on the way can hold.
    const much = async function* () {
      for (let i = 0; i < 200; i++) yield* streamed(chunks);
    };
    const made = { whole: undefined, [Symbol.asyncIterator]: much } as unknown as ReturnType<
      typeof streamed
    >;
    const reply = await agent.deliver(request(`[127.0.0.1]:${sink.port}`), made);
    assertMatch(reply.outcomes[0]!.text, /timed out while sending message body$/);
    agent.pool.close();
  },
});

Deno.test({
  name: "deliver() sends hundreds of messages over few sessions to smtp-sink",
  ignore: !installed(),
  async fn() {
    await using sink = await Sink.start();
    const agent = deliverer();
    let left = 300, sent = 0;
    await Promise.all(Array.from({ length: 5 }, async () => {
      while (left-- > 0) {
        const asked = request(`[127.0.0.1]:${sink.port}`, undefined, { keep: true });
        const reply = await agent.deliver(asked, content());
        if (reply.outcomes[0]!.status === "sent") sent++;
      }
    }));
    assertEquals([sent, agent.pool.size <= 5], [300, true]);
    agent.pool.close();
  },
});
