import { assertEquals, assertRejects } from "@std/assert";
import { DirectorySync } from "./directory_sync.ts";
import { turn } from "../../tests/support/waiting.ts";

/** A disk whose fsyncs end when the test says so. */
function slowDisk() {
  const begun: string[] = [];
  const open: { path: string; end: (error?: Error) => void }[] = [];
  const fsync = (path: string) => {
    begun.push(path);
    return new Promise<void>((resolve, reject) => {
      open.push({ path, end: (error) => error ? reject(error) : resolve() });
    });
  };
  return { begun, open, syncs: new DirectorySync(fsync) };
}

Deno.test("sync() shares the next fsync among all who ask while one runs", async () => {
  const { begun, open, syncs } = slowDisk();
  const ended: string[] = [];
  syncs.sync("/a").then(() => ended.push("first"));
  for (const name of ["second", "third"]) syncs.sync("/a").then(() => ended.push(name));
  open.shift()!.end();
  await turn();
  assertEquals([begun, ended], [["/a", "/a"], ["first"]]);
  syncs.sync("/a").then(() => ended.push("fourth"));
  open.shift()!.end();
  await turn();
  assertEquals([begun.length, ended], [3, ["first", "second", "third"]]);
  open.shift()!.end();
  await turn();
  assertEquals(ended.at(-1), "fourth");
});

Deno.test("sync() tells those who share an fsync that it failed, and tries again for others", async () => {
  const { open, syncs } = slowDisk();
  const first = syncs.sync("/a");
  const second = syncs.sync("/a");
  open.shift()!.end(new Error("EIO"));
  await assertRejects(() => first, Error, "EIO");
  await turn();
  open.shift()!.end();
  await second;
});

Deno.test("sync() runs a bounded number of directories at once, and all in the end", async () => {
  const { begun, open, syncs } = slowDisk();
  const all = Array.from({ length: 40 }, (_, i) => syncs.sync(`/${i}`));
  assertEquals(begun.length, 16);
  while (open.length) {
    open.shift()!.end();
    await turn();
  }
  await Promise.all(all);
  assertEquals(new Set(begun).size, 40);
});
