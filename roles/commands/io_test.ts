import { assertEquals } from "@std/assert";
import { EX } from "../../shared/errors.ts";
import { fakeIo } from "../../tests/support/fake_io.ts";
import { check } from "./check.ts";
import { reload, status, stop } from "./control.ts";
import { serve } from "./serve.ts";
import { start } from "./start.ts";

for (const [name, command] of Object.entries({ check, serve, start, status, reload, stop })) {
  Deno.test(`${name} does nothing when it is asked for what it does not know`, async () => {
    const io = fakeIo();
    try {
      assertEquals(await command(["-c", io.configDirectory!, "--help"], io), EX.USAGE);
      const expected = `${name}: no such argument: --help\nusage: postern ${name} [-c DIR]\n`;
      assertEquals(io.written, { out: "", err: expected });
    } finally {
      io.remove();
    }
  });
}
