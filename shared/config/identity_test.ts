import { assertEquals, assertMatch } from "@std/assert";
import { Configuration, loadConfiguration } from "./configuration.ts";
import { parseMainCf } from "./main_cf.ts";
import { parseMasterCf } from "./master_cf.ts";

const facts = { hostname: "mx.example.com", repository: "/srv/clone", version: "1.2.3" };
const SMTPD = "smtp inet n - n - - smtpd";

function messages({ problems }: Configuration): string {
  return problems.map(({ severity, message }) => `${severity}: ${message}`).join();
}

Deno.test("myorigin may name a file whose first line it is", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const name = `${directory}/mailname`;
    Deno.writeTextFileSync(`${directory}/main.cf`, `myorigin = ${name}\nmail_name = $myorigin`);
    Deno.writeTextFileSync(`${directory}/master.cf`, SMTPD);
    const missing = loadConfiguration(directory, facts);
    assertMatch(messages(missing), /mailname cannot be read/);

    Deno.writeTextFileSync(name, "host.example\nsecond line\n");
    const used = loadConfiguration(directory, facts);
    assertEquals(used.problems, []);
    assertEquals([used.value("myorigin"), used.value("mail_name")], [
      "host.example",
      "host.example",
    ]);
    assertEquals(used.raw("myorigin"), name);

    Deno.writeTextFileSync(name, "no host\n");
    assertMatch(
      messages(loadConfiguration(directory, facts)),
      /myorigin: must be a name such as mail.example.com: is "no host"/,
    );
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

for (const line of ["myhostname =", "myhostname = a..b", "mydomain = com.", "myorigin = a b"]) {
  Deno.test(`"${line}" is reported`, () => {
    const main = parseMainCf(line, "main.cf"), master = parseMasterCf(SMTPD, "master.cf");
    const used = new Configuration("/etc/postern", facts, main, master);
    assertMatch(messages(used), /fatal: main.cf, line 1: my\w+: must be a name such as/);
  });
}
