/** What root does in directories of somebody who is not to be trusted. */

import process from "node:process";
import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { join } from "@std/path";
import { databaseDirectory } from "../../shared/layout.ts";
import { contentDirectory, databaseFile } from "../../shared/queue/sqlite_schema.ts";
import type { FakeIo } from "../../tests/support/fake_io.ts";
import { asOwner } from "./as_owner.ts";
import { withQueue } from "./test_queue.ts";

/** Nobody's, as mail_owner's: its files cannot be reached by name, and it owns no other. */
const OWNER = 65534;
const root = { ignore: process.getuid!() !== 0 };
const main = join(import.meta.dirname!, "..", "..", "main.ts");

/** The queue of a system that root has stopped. */
function owned(test: (io: FakeIo, directory: string) => Promise<void>): Promise<void> {
  return withQueue(async (io) => {
    Deno.chmodSync(io.configDirectory!, 0o755);
    const directory = databaseDirectory(io.queueDirectory);
    give(directory);
    await test(io, directory);
  });
}

function give(path: string): void {
  Deno.lstatSync(path).isDirectory &&
    [...Deno.readDirSync(path)].forEach(({ name }) => give(`${path}/${name}`));
  Deno.chownSync(path, OWNER, OWNER);
}

/** Runs a command as people do: what it gives up, its process has given up. */
async function run(io: FakeIo, ...args: string[]): Promise<{ code: number; err: string }> {
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "-A", main, "-c", io.configDirectory!, ...args],
    stdin: "null",
    stdout: "null",
    signal: AbortSignal.timeout(20_000),
  }).output();
  return { code, err: new TextDecoder().decode(stderr) };
}

Deno.test({
  ...root,
  name: "asOwner() has the rights of a directory's owner while it works, and of nobody else",
  fn() {
    const directory = Deno.makeTempDirSync();
    Deno.writeTextFileSync(`${directory}/mine`, "", { mode: 0o600 });
    Deno.chownSync(directory, OWNER, OWNER);
    const read = () => Deno.readTextFileSync(`${directory}/mine`);
    assertThrows(() => asOwner(directory, read), Deno.errors.PermissionDenied);
    assertEquals(asOwner(directory, () => [process.geteuid!(), process.getegid!()]), [
      OWNER,
      OWNER,
    ]);
    assertEquals([process.geteuid!(), process.getegid!(), read()], [0, 0, ""]);
    Deno.removeSync(directory, { recursive: true });
  },
});

Deno.test({
  ...root,
  name: "asOwner() is not misled by a link, nor by what may be replaced",
  fn() {
    const parent = Deno.makeTempDirSync();
    Deno.symlinkSync("/etc", `${parent}/link`);
    Deno.mkdirSync(`${parent}/directory`);
    const user = (name: string) => asOwner(`${parent}/${name}`, () => process.geteuid!());
    assertEquals([user("link"), user("directory"), user("missing")], [0, 0, 0]);
    Deno.chownSync(parent, OWNER, OWNER);
    assertEquals([user("link"), user("directory"), user("missing")], [OWNER, OWNER, OWNER]);
    Deno.removeSync(parent, { recursive: true });
  },
});

Deno.test({
  ...root,
  name: "postsuper of a system that is down has the rights of the queue's owner alone",
  fn: () =>
    owned(async (io, directory) => {
      const content = contentDirectory(directory);
      // Root's: its owner may not look into it.
      Deno.chownSync(content, 0, 0);
      Deno.writeTextFileSync(`${content}/orphan`, "");
      const { code, err } = await run(io, "postsuper", "-d", "ALL");
      assertEquals(code, 69);
      assertMatch(err, /^postsuper: fatal: \/\S+\/queue: Permission denied .*\/content'/);
      assertEquals(Deno.statSync(`${content}/orphan`).size, 0);
      give(directory);
      assertMatch((await run(io, "postsuper", "-d", "ALL")).err, /Deleted: 3 messages\n$/);
      const owners = [...Deno.readDirSync(directory)].map(({ name }) =>
        Deno.lstatSync(`${directory}/${name}`).uid
      );
      assertEquals(new Set(owners), new Set([OWNER]));
    }),
});

for (const args of [["postsuper", "-d", "ALL"], ["mailq"], ["postcat", "-q", "NOSUCH"]]) {
  Deno.test(`${args.join(" ")} neither follows a link in the queue nor waits for a pipe`, () =>
    withQueue(async (io) => {
      const directory = databaseDirectory(io.queueDirectory), content = contentDirectory(directory);
      const others = `${io.configDirectory}/others`;
      Deno.mkdirSync(others);
      Deno.writeTextFileSync(`${others}/file`, "");
      Deno.removeSync(content);
      Deno.symlinkSync(others, content);
      const linked = await run(io, ...args);
      assertEquals([linked.code, Deno.statSync(`${others}/file`).size], [69, 0]);
      assertMatch(linked.err, /queue\/content: neither a plain file nor a directory/);
      Deno.removeSync(content);
      Deno.removeSync(databaseFile(directory));
      await new Deno.Command("mkfifo", { args: [databaseFile(directory)] }).output();
      const piped = await run(io, ...args);
      assertEquals(piped.code, 69);
      assertMatch(piped.err, /queue\/queue\.db: neither a plain file nor a directory/);
    }));
}
