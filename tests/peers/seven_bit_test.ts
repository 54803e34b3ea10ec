/** Mail with 8-bit text to a server that does not announce 8BITMIME. */

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { peerTest, run } from "../support/peers.ts";
import { freePort, System } from "../support/system.ts";

const CONTENT = [
  "Subject: eight",
  "MIME-Version: 1.0",
  "Content-Type: multipart/mixed; boundary=b",
  "Content-Transfer-Encoding: 8bit",
  "",
  "--b",
  "Content-Type: text/plain; charset=utf-8",
  "Content-Transfer-Encoding: 8bit",
  "",
  "gr\u00fc\u00dfe aus k\u00f6ln ",
  "--b",
  "",
  "plain = plain",
  "--b--",
  "",
].join("\n");

/** Prints the texts of a message's parts, as JSON. */
const READ_PARTS = `
import email, email.policy, json, sys
m = email.message_from_bytes(sys.stdin.buffer.read(), policy=email.policy.default)
print(json.dumps([p.get_content() for p in m.iter_parts()]))`;

peerTest(
  "8-bit mail reaches smtp-sink without 8BITMIME as 7 bits that mean the same",
  ["smtp-sink", "python3"],
  async (peers) => {
    const dump = await Deno.makeTempDir({ prefix: "postern-dump-" });
    await Deno.chmod(dump, 0o777);
    const port = await freePort();
    const sink = new Deno.Command(peers["smtp-sink"], {
      args: [
        ...(Deno.uid() === 0 ? ["-u", "nobody"] : []),
        ...["-8", "-D", `${dump}/mail`, `127.0.0.1:${port}`, "100"],
      ],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    try {
      await using system = await System.start({ sink: `smtp:[127.0.0.1]:${port}` });
      using client = await system.client();
      await client.message("s@src.test", ["u1@sink.test"], CONTENT);
      await system.untilSaid(/to=<u1@sink\.test>.* status=sent/);
      const bytes = await Deno.readFile(`${dump}/mail`);
      assertEquals(bytes.filter((byte) => byte > 127).length, 0);
      const text = new TextDecoder().decode(bytes);
      assertStringIncludes(text, "gr=C3=BC=C3=9Fe aus k=C3=B6ln=20");
      assertStringIncludes(text, "plain = plain");
      assertMatch(text, /Content-Transfer-Encoding: 7bit\r?\n/);
      const message = text.slice(text.indexOf("Received: "));
      assertEquals(JSON.parse(await run(peers.python3, ["-c", READ_PARTS], { input: message })), [
        "gr\u00fc\u00dfe aus k\u00f6ln ",
        "plain = plain",
      ]);
    } finally {
      sink.kill();
      await sink.status;
      await Deno.remove(dump, { recursive: true });
    }
  },
);
