/** Which role a person means, and what is right for it. */

import { assertEquals, assertThrows } from "@std/assert";
import { ConfigError } from "../../shared/errors.ts";
import { fakeIo } from "../../tests/support/fake_io.ts";
import { loadForCommand } from "./io.ts";
import { clash, findWanted, portsFor, withListener } from "./role_plan.ts";

const MASTER = `smtp inet n - n - - smtpd
submission inet n - n - - smtpd
smtp unix - - n - - smtp
relay unix - - n - - smtp
rewrite unix - - n - - trivial-rewrite
qmgr unix n - n 300 1 qmgr
virtual unix - n n - - virtual
`;

/** The configuration of a system with these services. */
function configuration(master = MASTER) {
  const io = fakeIo("inet_interfaces = 127.0.0.1\ninet_protocols = ipv4\n");
  try {
    Deno.writeTextFileSync(`${io.configDirectory}/master.cf`, master);
    return loadForCommand(io);
  } finally {
    io.remove();
  }
}

for (
  const [name, service, role] of [
    ["smtp", "smtp", "smtp"],
    ["smtpd", "smtp", "smtpd"],
    ["submission", "submission", "smtpd"],
    ["relay", "relay", "smtp"],
    ["trivial-rewrite", "rewrite", "rewrite"],
    ["cleanup", "cleanup", "cleanup"],
  ] as const
) {
  Deno.test(`findWanted() takes ${name} for the service ${service} of ${role}`, () => {
    const wanted = findWanted(name, configuration());
    assertEquals([wanted.service, wanted.row.role], [service, role]);
  });
}

Deno.test("findWanted() names what was meant", () => {
  const unknown = (name: string, text: string) =>
    assertThrows(() => findWanted(name, configuration()), ConfigError, text);
  unknown("rewite", 'no role "rewite": did you mean rewrite?');
  unknown("milter", 'no role "milter" (');
});

Deno.test("withListener() takes another port where the running system has this one", () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const taken = `127.0.0.1:${listener.addr.port}`;
  try {
    const config = configuration(`${taken} inet n - n - - smtpd\n`);
    const wanted = findWanted("smtpd", config);
    assertEquals(withListener(wanted, config, undefined, true).entry?.name === taken, false);
    assertThrows(
      () => withListener(wanted, config, undefined, false),
      ConfigError,
      "choose another with --listen",
    );
    assertThrows(() => withListener(wanted, config, taken, true), ConfigError, "--listen");
  } finally {
    listener.close();
  }
});

Deno.test("withListener() refuses a port for a role that has none", () => {
  const config = configuration();
  const wanted = findWanted("rewrite", config);
  assertThrows(
    () => withListener(wanted, config, "127.0.0.1:2525", false),
    ConfigError,
    "--listen: rewrite listens on no port",
  );
});

Deno.test("clash() keeps a second qmgr from the queue, and lets a second virtual deliver", () => {
  const config = configuration();
  assertEquals(clash(findWanted("virtual", config), config), undefined);
  assertEquals(
    clash(findWanted("qmgr", config), config),
    "the running system has a qmgr already, and two on one database would do everything twice",
  );
  // Without a log file the system has none.
  assertEquals(clash(findWanted("postlogd", config), config), undefined);
});

Deno.test("portsFor() allows what a person names, and refuses what names no port", () => {
  const config = configuration();
  assertEquals(portsFor(undefined, config), {});
  assertEquals(portsFor("[127.0.0.1]:2526, [127.0.0.1]:2527", config), {
    smtp_allowed_ports: "25 465 587 24 2526 2527",
  });
  assertThrows(() => portsFor("[127.0.0.1", config), ConfigError, "malformed destination");
});
