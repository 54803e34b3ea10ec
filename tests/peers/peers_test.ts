/** Other people's clients and servers against ours. */

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { CountingSink, peerTest, run } from "../support/peers.ts";
import { freePort, System } from "../support/system.ts";

peerTest("swaks sends a message over STARTTLS", ["swaks", "openssl"], async (peers) => {
  const keys = await Deno.makeTempDir({ prefix: "postern-keys-" });
  await run(peers.openssl, [
    ...["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"],
    ...["-subj", "/CN=mx.postern.test", "-keyout", `${keys}/key.pem`, "-out", `${keys}/cert.pem`],
  ]);
  await using system = await System.start({
    main: [
      "smtpd_tls_security_level = may",
      `smtpd_tls_cert_file = ${keys}/cert.pem`,
      `smtpd_tls_key_file = ${keys}/key.pem`,
    ].join("\n"),
  });
  const out = await run(peers.swaks, [
    ...["--server", `127.0.0.1:${system.port}`, "--tls", "--to", "u1@box.test"],
    ...["--from", "s@src.test", "--header", "Subject: over TLS"],
  ]);
  assertMatch(out, /=== TLS started with cipher TLSv1\.[23]/);
  await system.until(() => system.maildir("u1").length === 1);
  assertStringIncludes(system.maildir("u1")[0]!, "with ESMTPS id ");
  await Deno.remove(keys, { recursive: true });
});

peerTest(
  "smtp-source sends through the system to smtp-sink",
  ["smtp-source", "smtp-sink"],
  async (peers) => {
    const port = await freePort();
    await using sink = new CountingSink(peers["smtp-sink"], port, 100);
    await using system = await System.start({ sink: `smtp:[127.0.0.1]:${port}` });
    await run(peers["smtp-source"], [
      ...["-d", "-s", "10", "-m", "100", "-l", "4096", "-f", "s@src.test", "-t", "u1@sink.test"],
      `127.0.0.1:${system.port}`,
    ]);
    await system.until(() => sink.count >= 100);
    await system.untilEmpty();
    assertEquals(sink.count, 100);
  },
);
