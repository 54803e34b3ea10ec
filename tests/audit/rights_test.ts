/** What Deno notes, in the words of the policy table. */

import { assertEquals } from "@std/assert";
import { findings, notGranted, rightOf } from "./rights.ts";

const QUEUE = "/tmp/postern-1/queue";

Deno.test("rightOf() knows a service by its socket, whichever permission it takes", () => {
  for (const permission of ["net", "read", "write"]) {
    const value = `${permission === "net" ? "unix:" : ""}${QUEUE}/private/rewrite/s`;
    assertEquals(rightOf("cleanup", { permission, value }), "calls rewrite");
  }
  const relay = { permission: "net", value: `unix:${QUEUE}/private/relay/s` };
  assertEquals(rightOf("qmgr", relay), "calls delivery");
});

Deno.test("rightOf() knows whose log a socket is", () => {
  const right = (role: string, name: string) =>
    rightOf(role, { permission: "net", value: `unix:${QUEUE}/private/log+postfix+${name}/s` });
  assertEquals([right("smtp", "lmtp"), right("cleanup", "cleanup")], ["logs", "logs"]);
  assertEquals(right("qmgr", "error"), "logs as error");
  assertEquals(right("cleanup", "qmgr"), undefined);
});

Deno.test("rightOf() finds no right for what no row grants", () => {
  for (
    const request of [
      { permission: "env", value: "HOME" },
      { permission: "read", value: "/root/.ssh/id" },
      { permission: "run", value: "/bin/sh" },
      { permission: "net", value: "127.0.0.1:25" },
    ]
  ) assertEquals(rightOf("cleanup", request), undefined, request.value);
});

Deno.test("notGranted() tells what a role asked for beyond its row", () => {
  const asked = [
    { permission: "write", value: `${QUEUE}/queue/queue.db` },
    { permission: "net", value: `unix:${QUEUE}/private/intake/s` },
  ];
  assertEquals(notGranted(new Map([["cleanup", asked]])), [
    `cleanup: write ${QUEUE}/queue/queue.db`,
  ]);
});

Deno.test("findings() has no verdict for a right that nobody used", () => {
  const found = findings(new Map([["qmgr", [{ permission: "sys", value: "statfs" }]]]));
  const verdict = (right: string) =>
    found.find((each) => each.role === "qmgr" && each.right === right)?.verdict;
  assertEquals(verdict("sys statfs"), "used");
  assertEquals(verdict("writes database"), undefined);
});
