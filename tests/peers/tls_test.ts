/** STARTTLS with another implementation at the other end: no session may fall silent, however it is cut into records. */

import { assertEquals, assertMatch } from "@std/assert";
import { certificate } from "../support/certificate.ts";
import { peerTest, run } from "../support/peers.ts";
import { freePort, System } from "../support/system.ts";

/** Sends messages in many sessions at once: lock-step, pipelined, in small records, with noise between. */
const CLIENTS = `
import random, socket, ssl, sys, threading
port, count, threads = map(int, sys.argv[1:])
context = ssl.create_default_context()
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE
results, lock = {"ok": 0}, threading.Lock()

class Line:
    def __init__(self, sock): self.sock, self.text = sock, b""
    def say(self, data, step=0):
        for i in range(0, len(data), step or len(data)): self.sock.sendall(data[i:i + (step or len(data))])
    def hear(self, count=1):
        while count:
            while b"\\r\\n" not in self.text:
                more = self.sock.recv(65536)
                if not more: raise EOFError("closed")
                self.text += more
            line, self.text = self.text.split(b"\\r\\n", 1)
            if line[3:4] != b"-": count -= 1
        return line

def session(rng):
    sock = socket.create_connection(("127.0.0.1", port), timeout=30)
    line = Line(sock); line.hear()
    line.say(b"EHLO a\\r\\n"); line.hear()
    line.say(b"STARTTLS\\r\\n"); line.hear()
    line = Line(context.wrap_socket(sock))
    for _ in range(rng.randint(1, 3)):
        line.say(b"EHLO b\\r\\n", rng.choice([0, 3])); line.hear()
        line.say(b"MAIL FROM:<s@src.test>\\r\\nRCPT TO:<u1@box.test>\\r\\nDATA\\r\\n", rng.choice([0, 7])); line.hear(3)
        body = (b"z" * rng.randint(0, 70) + b"\\r\\n") * rng.choice([1, 2, 400])
        line.say(b"Subject: x\\r\\n\\r\\n" + body); line.say(b".\\r\\n", rng.choice([0, 1]))
        if not line.hear().startswith(b"250"): raise ValueError("not taken")
        if rng.random() < .3:
            line.say(b"NOISE \\xff\\x00 x\\r\\nRSET\\r\\n"); line.hear(2)
    line.say(b"QUIT\\r\\n"); line.hear()

def work(n):
    rng = random.Random(n)
    for _ in range(count // threads):
        try: session(rng); what = "ok"
        except Exception as error: what = repr(error)[:80]
        with lock: results[what] = results.get(what, 0) + 1

workers = [threading.Thread(target=work, args=(n,)) for n in range(threads)]
for each in workers: each.start()
for each in workers: each.join()
print(results)
`;

peerTest("no session over TLS falls silent", ["python3", "openssl"], async ({ python3 }) => {
  const keys = await Deno.makeTempDir({ prefix: "postern-keys-" });
  const { key, chain } = certificate(keys)!;
  await using system = await System.start({
    main: [
      "smtpd_tls_security_level = may",
      `smtpd_tls_cert_file = ${chain}`,
      `smtpd_tls_key_file = ${key}`,
    ].join("\n"),
  });
  const out = await run(python3, ["-c", CLIENTS, `${system.port}`, "200", "20"]);
  assertEquals(out.trim(), "{'ok': 200}");
  await Deno.remove(keys, { recursive: true });
});

peerTest(
  "each smtpd has the certificate that its line of master.cf names",
  ["openssl"],
  async (peers) => {
    const keys = await Deno.makeTempDir({ prefix: "postern-keys-" });
    const made = (host: string) => {
      Deno.mkdirSync(`${keys}/${host}`);
      return certificate(`${keys}/${host}`, host)!;
    };
    const main = made("main.test"), other = made("other.test"), port = await freePort();
    await using system = await System.start({
      main: [
        "smtpd_tls_security_level = may",
        `smtpd_tls_cert_file = ${main.chain}`,
        `smtpd_tls_key_file = ${main.key}`,
      ].join("\n"),
      master: `127.0.0.1:${port} inet n - n - - smtpd -o smtpd_tls_cert_file=${other.chain} ` +
        `-o smtpd_tls_key_file=${other.key}`,
    });
    for (const [at, host] of [[system.port, "main.test"], [port, "other.test"]] as const) {
      const args = ["s_client", "-starttls", "smtp", "-connect", `127.0.0.1:${at}`];
      const out = await run(peers.openssl, args, { input: "QUIT\r\n" });
      assertMatch(out, new RegExp(`subject=CN ?= ?${host}`));
    }
    await Deno.remove(keys, { recursive: true });
  },
);
