/** No process holds a socket that is not its own: whoever inherits a listening one can answer in its owner's place. */

import { assertEquals } from "@std/assert";
import { System } from "../support/system.ts";

/** Inodes of the unix sockets that are bound below a directory, and their paths. */
function boundSockets(directory: string): Map<string, string> {
  const bound = new Map<string, string>();
  for (const line of Deno.readTextFileSync("/proc/net/unix").split("\n")) {
    const [, , , , , , inode, path] = line.split(/\s+/);
    if (inode && path?.startsWith(directory)) bound.set(`socket:[${inode}]`, path);
  }
  return bound;
}

function descriptors(pid: number): string[] {
  const directory = `/proc/${pid}/fd`;
  return [...Deno.readDirSync(directory)].map(({ name }) => {
    try {
      return Deno.readLinkSync(`${directory}/${name}`);
    } catch {
      return ""; // Closed meanwhile.
    }
  });
}

const ROLES = ["anvil", "bounce", "cleanup", "dns", "pickup", "qmgr", "rewrite", "showq", "smtp"]
  .concat("smtpd", "virtual");

Deno.test("no role inherits a socket of another one", async () => {
  await using system = await System.start();
  await system.send("u1@box.test");
  await system.until(() => system.maildir("u1").length === 1);
  // What is started again is started with everything open.
  const [former] = system.processes("cleanup");
  system.kill("cleanup");
  await system.until(() => system.processes("cleanup").some((pid) => pid !== former));
  await system.send("u1@box.test");

  const bound = boundSockets(system.directory);
  const holders = new Map([...bound.values()].map((path) => [path, new Set<string>()]));
  for (const role of ROLES) {
    for (const pid of system.processes(role)) {
      for (const name of descriptors(pid)) {
        const path = bound.get(name);
        if (path) holders.get(path)!.add(role);
      }
    }
  }
  const shared = [...holders].filter(([, roles]) => roles.size > 1);
  assertEquals(shared.map(([path, roles]) => `${path}: ${[...roles].join(", ")}`), []);
  const held = [...holders].filter(([, roles]) => roles.size === 1).length;
  assertEquals(held > 5, true, `${held} sockets were found: the test does not see them`);
});
