/** What people are told about the confinement of this host. */

import { assertEquals, assertStringIncludes } from "@std/assert";
import type { Host } from "../../policies/grant.ts";
import { describeLayers } from "./runtime.ts";

const user: Host = { root: false, mailOwner: null, nameServers: [] };
const root: Host = { ...user, root: true, mailOwner: { name: "postfix", uid: 100, gid: 101 } };
const bwrap = "/usr/bin/bwrap", setpriv = "/usr/bin/setpriv";

Deno.test("describeLayers() says that a socket can be taken over where nothing refuses it", () => {
  assertStringIncludes(
    describeLayers({ bwrap: undefined, setpriv }, user),
    "no bubblewrap: a role could take over another's socket",
  );
});

Deno.test("describeLayers() says what guards sockets where there is another user but no bubblewrap", () => {
  const said = describeLayers({ bwrap: undefined, setpriv }, root);
  assertStringIncludes(said, "no bubblewrap: only their owner guards sockets");
  assertEquals(said.includes("take over"), false);
});

Deno.test("describeLayers() has nothing to admit with bubblewrap", () => {
  assertEquals(describeLayers({ bwrap, setpriv }, user).includes("no bubblewrap"), false);
});

Deno.test("describeLayers() fits into the answer to status", () => {
  const all = [bwrap, undefined].flatMap((each) =>
    [true, false].flatMap((worker) => [user, root].map((host) => ({ bwrap: each, worker, host })))
  );
  for (const { host, ...layers } of all) {
    const { length } = describeLayers({ ...layers, setpriv }, host);
    assertEquals(length <= 200, true, `${length}`);
  }
});
