import { assertEquals } from "@std/assert";
import type { Host } from "../../policies/grant.ts";
import { socketDirectory } from "../../shared/layout.ts";
import { clearSocket, makeDirectories, openService } from "./directories.ts";

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
