import { assertEquals } from "@std/assert";
import { createServer } from "node:net";
import { client } from "../../shared/ipc/client.ts";
import { setSink } from "../../shared/log/log.ts";
import { MAX_ADDRESS } from "../../shared/mail/envelope.ts";
import { MAX_VALUE_LENGTH, rewriteService } from "../../shared/protocols/rewrite.ts";
import { RewriteCache } from "../../shared/rewrite_cache.ts";
import { answers } from "./answers.ts";
import { settingsOf } from "./testing.ts";

/** The service on a socket of its own, asked as other roles ask it. */
async function serving(
  texts: Record<string, string>,
  ask: (cache: RewriteCache) => Promise<void>,
): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "rewrite-" });
  const answerer = answers(settingsOf(texts));
  const server = createServer((socket) => answerer.attach(socket));
  const path = `${directory}/socket`;
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const asking = client(rewriteService, { path });
  try {
    await ask(new RewriteCache(asking));
  } finally {
    asking.close();
    await new Promise((resolve) => server.close(resolve));
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("rewrite answers each call of its protocol over a socket", async () => {
  const texts = {
    virtual_mailbox_domains: "box.example",
    virtual_mailbox_maps: "inline:{ joe@box.example=joe/ }",
    virtual_uid_maps: "static:5000",
    virtual_gid_maps: "static:5001",
    virtual_alias_maps: "inline:{ sales@box.example=joe@box.example }",
  };
  await serving(texts, async (cache) => {
    assertEquals(await cache.rewrite("local", "joe"), "joe@example.com");
    assertEquals(await cache.rewrite("remote", "joe"), "joe");
    const joe = {
      transport: "virtual",
      nexthop: "box.example",
      recipient: "joe@box.example",
      class: "virtual" as const,
      routed: false,
      error: false,
      fail: false,
    };
    assertEquals(await cache.resolve("", "joe@box.example"), joe);
    assertEquals(await cache.recipient("", "joe@box.example"), { resolved: joe, listed: "yes" });
    const values = await Promise.all([
      cache.lookup("virtual_alias_maps", "sales@box.example"),
      cache.lookup("virtual_mailbox_maps", "joe@box.example"),
      cache.lookup("virtual_uid_maps", "joe@box.example"),
      cache.lookup("virtual_gid_maps", "joe@box.example"),
      cache.lookup("virtual_mailbox_maps", "jane@box.example"),
    ]);
    assertEquals(values.map((found) => found.value), [
      "joe@box.example",
      "joe/",
      "5000",
      "5001",
      null,
    ]);
  });
});

Deno.test("rewrite says fail where a table cannot tell", async () => {
  const texts = { virtual_alias_maps: "fail:x", relay_domains: "fail:x" };
  await serving(texts, async (cache) => {
    assertEquals(await cache.lookup("virtual_alias_maps", "joe@other.example"), {
      value: null,
      fail: true,
    });
    assertEquals((await cache.resolve("", "joe@other.example")).fail, true);
    assertEquals((await cache.recipient("", "joe@other.example")).listed, "fail");
  });
});

Deno.test("rewrite answers the longest value and extension, whatever they are made of, and no longer value", async () => {
  const log: string[] = [];
  setSink((severity, text) => log.push(`${severity}: ${text}`));
  const address = `list+${"\u20ac".repeat(MAX_ADDRESS - "list+@o.example".length)}@o.example`;
  for (const char of ["a", "\u20ac", '"', "\x01"]) {
    for (const more of [0, 1]) {
      const value = char.repeat(MAX_VALUE_LENGTH + more);
      const virtual_alias_maps = `inline:{ { list@o.example = ${value} } }`;
      await serving({ recipient_delimiter: "+", virtual_alias_maps }, async (cache) => {
        const { value: found, extension, fail } = await cache.lookup("virtual_alias_maps", address);
        if (more) assertEquals([found, extension, fail], [null, undefined, true]);
        else assertEquals([found, extension?.length, fail], [value, 986, false]);
      });
    }
  }
  assertEquals(new Set(log.map((line) => line.replace(/for .* has/, "for ... has"))).size, 1);
});
