import { assertEquals, assertThrows } from "@std/assert";
import type { Host } from "../../policies/grant.ts";
import { ConfigError } from "../../shared/errors.ts";
import { bindDirectory, socketDirectory, socketPath } from "../../shared/layout.ts";
import { OwnSocketPlaces } from "./own_sockets.ts";

const HOST: Host = { root: Deno.uid() === 0, mailOwner: null, nameServers: [] };
const SERVICE = "dns";

/** Runs a test on a queue that has nothing but what the test puts there. */
function onQueue(test: (queue: string, next: () => string) => void): void {
  const queue = Deno.makeTempDirSync();
  const places = new OwnSocketPlaces(queue, HOST);
  try {
    test(queue, () => places.next([SERVICE], [], null).binds[0]!.path);
  } finally {
    Deno.removeSync(queue, { recursive: true });
  }
}

Deno.test("a directory full of things where a role binds is removed, and nothing beyond it", () => {
  onQueue((queue, next) => {
    const names = bindDirectory(queue, SERVICE);
    Deno.writeTextFileSync(`${queue}/mail`, "");
    Deno.mkdirSync(`${names}/1/x`, { recursive: true });
    Deno.symlinkSync(queue, `${names}/1/queue`);
    Deno.symlinkSync(queue, `${names}/queue`);
    assertEquals(next(), `${names}/1`);
    assertEquals([...Deno.readDirSync(names)], []);
    assertEquals(Deno.statSync(`${queue}/mail`).isFile, true);
  });
});

Deno.test("a role that has taken the name of the next process has it taken away", () => {
  onQueue((queue, next) => {
    next();
    const names = bindDirectory(queue, SERVICE);
    Deno.mkdirSync(`${names}/2/x`, { recursive: true });
    assertEquals(next(), `${names}/2`);
    assertEquals([...Deno.readDirSync(names)], []);
  });
});

Deno.test("what could not be prepared is prepared when it is wanted again", () => {
  onQueue((queue, next) => {
    Deno.mkdirSync(`${queue}/private`);
    Deno.writeTextFileSync(socketDirectory(queue, SERVICE), "");
    assertThrows(next, ConfigError, "cannot prepare");
    Deno.removeSync(socketDirectory(queue, SERVICE));
    assertEquals(next(), `${bindDirectory(queue, SERVICE)}/2`);
    assertEquals(Deno.statSync(bindDirectory(queue, SERVICE)).isDirectory, true);
  });
});

Deno.test("a directory in a socket's place, and in that of its way there, gives way to the socket", () => {
  const queue = Deno.makeTempDirSync();
  try {
    const own = new OwnSocketPlaces(queue, HOST).next([SERVICE], [], null);
    const path = socketPath(queue, SERVICE);
    for (const place of [path, `${path}.new`]) Deno.mkdirSync(`${place}/x`, { recursive: true });
    using _listener = Deno.listen({ transport: "unix", path: own.binds[0]!.path });
    own.listening();
    assertEquals(Deno.lstatSync(path).isSocket, true);
  } finally {
    Deno.removeSync(queue, { recursive: true });
  }
});
