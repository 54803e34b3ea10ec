import { assertEquals, assertThrows } from "@std/assert";
import { ConfigError } from "../../shared/errors.ts";
import { takePidFile } from "./pid_file.ts";

Deno.test("the pid file is there until it is released, and no second one is had", () => {
  const queue = Deno.makeTempDirSync(), path = `${queue}/pid/master.pid`;
  try {
    const release = takePidFile(queue, path, false);
    assertEquals(Deno.readTextFileSync(path), `${Deno.pid}\n`);
    assertEquals(Deno.statSync(path).mode! & 0o777, 0o600);
    release();
    assertThrows(() => Deno.statSync(path), Deno.errors.NotFound);
  } finally {
    Deno.removeSync(queue, { recursive: true });
  }
});

for (const [what, link] of [["a symbolic", Deno.symlinkSync], ["a hard", Deno.linkSync]] as const) {
  Deno.test(`${what} link in the pid file's place is refused, and what it leads to stays`, () => {
    const queue = Deno.makeTempDirSync(), path = `${queue}/master.pid`;
    try {
      Deno.writeTextFileSync(`${queue}/foreign`, "something");
      link(`${queue}/foreign`, path);
      assertThrows(
        () => takePidFile(queue, path, false),
        ConfigError,
        `process_id_directory: cannot write ${path}: ${path} `,
      );
      assertEquals(Deno.readTextFileSync(`${queue}/foreign`), "something");
    } finally {
      Deno.removeSync(queue, { recursive: true });
    }
  });
}
