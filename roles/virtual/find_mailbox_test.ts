import process from "node:process";
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { setSink } from "../../shared/log/log.ts";
import { parseAll } from "../../shared/parameters/declare.ts";
import { virtualParameters } from "../../shared/parameters/virtual.ts";
import { assertQuick, near, PROTOTYPE_NAMES } from "../../tests/support/hostile.ts";
import { findMailbox } from "./find_mailbox.ts";

setSink(() => {});

const params = parseAll(virtualParameters, {
  ...Object.fromEntries(Object.values(virtualParameters).map((each) => [each.name, each.fallback])),
  myhostname: "mx.test",
  virtual_mailbox_base: "/base",
  virtual_uid_maps: "static:x",
  virtual_gid_maps: "static:x",
  virtual_minimum_uid: "100",
});

/** What becomes of a recipient when the tables say this of path, user and group. */
function find(path: string, uid = "1000", gid = "1000") {
  const values = { virtual_mailbox_maps: path, virtual_uid_maps: uid, virtual_gid_maps: gid };
  const lookup = (name: string) => ({ value: values[name as keyof typeof values], fail: false });
  return findMailbox(params, { lookup }, "user@box.test");
}

for (
  const [uids, uid, owned] of [
    ["static:1000", 1000, false],
    ["static:1000", 1001, true],
    ["inline:{ user@box.test=1000 }", 1000, true],
  ] as const
) {
  Deno.test(`findMailbox() for user ${uid} ${owned ? "names" : "needs"} ${owned ? "the" : "no"} owner of ${uids}`, async () => {
    const own = { ...params, virtualUidMaps: [uids], virtualGidMaps: ["static:1000"] };
    const lookup = (name: string) => ({
      value: name.includes("mailbox") ? "u/" : "1000",
      fail: false,
    });
    const getuid = process.getuid!;
    process.getuid = () => uid;
    try {
      const found = await findMailbox(own, { lookup }, "user@box.test");
      const owner = owned ? { uid: 1000, gid: 1000 } : undefined;
      assertEquals(found, { components: ["u"], owner });
    } finally {
      process.getuid = getuid;
    }
  });
}

Deno.test("findMailbox() looks a recipient up in small letters, as one mailbox however it is written", async () => {
  const asked: string[] = [];
  const lookup = (name: string, address: string) => {
    asked.push(`${name} ${address}`);
    const value = name === "virtual_mailbox_maps" ? `${address.split("@")[0]}/` : "1000";
    return { value, fail: false };
  };
  const mailbox = { components: ["bob"], owner: { uid: 1000, gid: 1000 } };
  for (const recipient of ["bob@box.test", "Bob@box.test", "BOB@Box.Test"]) {
    assertEquals(await findMailbox(params, { lookup }, recipient), mailbox);
  }
  assertEquals([...new Set(asked)], [
    "virtual_mailbox_maps bob@box.test",
    "virtual_uid_maps bob@box.test",
    "virtual_gid_maps bob@box.test",
  ]);
});

Deno.test("findMailbox() stays below the base, whatever the table says of the path", async () => {
  const path = near(
    "a",
    "/",
    ".",
    "..",
    "../",
    "./",
    "//",
    "x".repeat(256),
    "user@box.test",
    "Maildir/",
  );
  await fc.assert(fc.asyncProperty(path, async (path) => {
    const found = await find(path);
    if (!("components" in found)) return assertEquals(found.status, "deferred");
    assert(found.components.length > 0 && found.components.length <= 32);
    for (const name of found.components) {
      assert(name !== "" && name !== "." && name !== ".." && !name.includes("/"), name);
      // deno-lint-ignore no-control-regex
      assert(!/[\x00-\x1f\x7f]/.test(name) && new TextEncoder().encode(name).length <= 255);
    }
    assertEquals(found.components, path.split("/").filter((name) => name && name !== "."));
  }));
});

Deno.test("findMailbox() takes prototype names for names of directories", async () => {
  for (const name of PROTOTYPE_NAMES) {
    assertEquals(await find(`${name}/`), { components: [name], owner: { uid: 1000, gid: 1000 } });
  }
});

Deno.test("findMailbox() gives mail to users and groups of the declared range alone, whatever the tables say", async () => {
  const id = near(
    "0",
    "1",
    "99",
    "1000",
    "-",
    "+",
    ".",
    "e",
    "0x",
    "4294967295",
    "4294967294",
    " ",
  );
  await fc.assert(fc.asyncProperty(id, id, async (uid, gid) => {
    const found = await find("a/", uid, gid);
    if (!("components" in found)) return assertEquals(found.status, "deferred");
    const { owner } = found;
    assert(/^[0-9]+$/.test(uid) && /^[0-9]+$/.test(gid));
    assert(
      owner!.uid >= 100 && owner!.uid < 2 ** 32 - 1 && owner!.gid >= 1 && owner!.gid < 2 ** 32 - 1,
    );
  }));
  assertEquals(await find("a/", "0099999999", "4294967294"), {
    components: ["a"],
    owner: { uid: 99_999_999, gid: 4_294_967_294 },
  });
});

Deno.test("findMailbox() takes time in proportion to what the table says", () => {
  assertQuick((text) => find(`${text}/`), ["a", "/", "a/", "../", "./", "\u2028"]);
  assertQuick((text) => find("a/", text), ["1", " ", "-"]);
});
