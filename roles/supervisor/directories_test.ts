import { assertEquals, assertThrows } from "@std/assert";
import type { Host } from "../../policies/grant.ts";
import { bindDirectory, socketDirectory, socketPath } from "../../shared/layout.ts";
import { clearSocket, makeDirectories, openService, placeSocket } from "./directories.ts";

const ROOT: Host = {
  root: true,
  mailOwner: { name: "nobody", uid: 65534, gid: 65534 },
  nameServers: [],
};

Deno.test({
  name: "who may flush is decided by the service's directory, at start and at reload",
  ignore: Deno.uid() !== 0,
  fn() {
    const queue = Deno.makeTempDirSync();
    const mode = () => Deno.statSync(socketDirectory(queue, "flush")).mode! & 0o777;
    try {
      makeDirectories(queue, ROOT);
      openService(queue, "flush", true, ROOT);
      clearSocket(queue, "flush", ROOT);
      assertEquals(mode(), 0o755);
      openService(queue, "flush", false, ROOT);
      clearSocket(queue, "flush", ROOT);
      assertEquals(mode(), 0o710);
      openService(queue, "flush", true, ROOT);
      assertEquals(mode(), 0o755);
    } finally {
      Deno.removeSync(queue, { recursive: true });
    }
  },
});

for (const [what, link] of [["a symbolic", Deno.symlinkSync], ["a hard", Deno.linkSync]] as const) {
  Deno.test(`${what} link in a socket's place changes nobody's mode, and gets nowhere`, () => {
    const queue = Deno.makeTempDirSync();
    const foreign = `${queue}/foreign`, from = `${bindDirectory(queue, "flush")}/1`;
    try {
      Deno.mkdirSync(bindDirectory(queue, "flush"), { recursive: true });
      Deno.writeTextFileSync(foreign, "", { mode: 0o600 });
      link(foreign, from);
      const host: Host = { root: false, mailOwner: null, nameServers: [] };
      assertThrows(() => placeSocket(queue, "flush", from, host));
      assertEquals(Deno.statSync(foreign).mode! & 0o777, 0o600);
      assertThrows(() => Deno.lstatSync(socketPath(queue, "flush")), Deno.errors.NotFound);
    } finally {
      Deno.removeSync(queue, { recursive: true });
    }
  });
}
