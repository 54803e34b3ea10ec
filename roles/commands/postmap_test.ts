import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { fakeIo } from "../../tests/support/fake_io.ts";
import { postalias, postmap } from "./postmap.ts";

/** What a command says of tables in a directory of their own, `%` in its arguments. */
async function said(
  command: typeof postmap,
  words: string[],
  files: Record<string, string>,
  input = "",
) {
  const directory = Deno.makeTempDirSync();
  const io = fakeIo("", input);
  try {
    for (const [name, text] of Object.entries(files)) {
      Deno.writeTextFileSync(join(directory, name), text);
    }
    const code = await command(words.map((word) => word.replaceAll("%", directory)), io);
    const { out, err } = io.written;
    return [code, out, err.replaceAll(directory, "%")];
  } finally {
    io.remove();
    Deno.removeSync(directory, { recursive: true });
  }
}

const MAP = { map: "a one\nb two\n" };

for (
  const [words, code, out] of [
    [["-q", "a", "texthash:%/map"], 0, "one\n"],
    [["-qa", "%/map"], 0, "one\n"],
    [["-c", "/nowhere", "-q", "b", "hash:%/map"], 0, "two\n"],
    [["-q", "c", "texthash:%/map"], 1, ""],
    [["-q", "x", "inline:{a=b}", "static:all"], 0, "all\n"],
    [["-q", "192.0.2.7", "cidr:%/net"], 0, "ours\n"],
    [["-q", "a", "pipemap:{texthash:%/map, inline:{one=1}}"], 0, "1\n"],
    [["-q", "a", "unionmap:{ texthash:%/map, static:{all of it} }"], 0, "one,all of it\n"],
    [["-q", "a", "proxy:texthash:%/map"], 0, "one\n"],
    [["-q", "a", "proxy:unionmap:{texthash:%/map}"], 0, "one\n"],
    [["-q", "Hello", "regexp:%/rules"], 0, "greeting\n"],
  ] as const
) {
  Deno.test(`postmap ${words.join(" ")} exits ${code}`, async () => {
    const files = { ...MAP, net: "192.0.2.0/24 ours\n", rules: "/^hel+o/ greeting\n" };
    assertEquals(await said(postmap, [...words], files), [code, out, ""]);
  });
}

Deno.test("postmap takes a file's name from the directory that it is called in", async () => {
  const up = "../".repeat(Deno.cwd().split("/").length);
  for (const type of ["", "texthash:", "proxy:texthash:"]) {
    const words = ["-q", "a", `${type}${up}%/map`];
    assertEquals(await said(postmap, words, MAP), [0, "one\n", ""], type);
  }
});

Deno.test("postmap -q - answers each line of standard input that is there", async () => {
  const answers = await said(postmap, ["-q", "-", "texthash:%/map"], MAP, "a\nno\nb\n");
  assertEquals(answers, [0, "a\tone\nb\ttwo\n", ""]);
});

Deno.test("postmap has nothing to build, and names what is wrong with the source", async () => {
  assertEquals(await said(postmap, ["%/map"], MAP), [0, "", ""]);
  const broken = await said(postmap, ["-w", "cidr:%/net"], { net: "192.0.2.0/99 x\n" });
  assertEquals(broken.slice(0, 2), [0, ""]);
  assertEquals(/^postmap: warning: %\/net, line 1: /.test(String(broken[2])), true);
  const missing = await said(postmap, ["%/none"], {});
  assertEquals(missing.slice(0, 2), [1, ""]);
});

Deno.test("postmap says what it cannot do", async () => {
  for (
    const [words, text] of [
      [["-s", "%/map"], "-s: there is no index: tables are read from their source text"],
      [[], "usage: postmap [-c config_dir] [-q key] [map_type:]file..."],
      [["-Z", "%/map"], "usage: postmap [-c config_dir] [-q key] [map_type:]file..."],
      [["%/map", "-q"], "usage: postmap [-c config_dir] [-q key] [map_type:]file..."],
      [["-q", "a", "ldap:%/map"], "ldap:%/map: unsupported table type: ldap"],
    ] as const
  ) {
    assertEquals(await said(postmap, [...words], MAP), [1, "", `postmap: fatal: ${text}\n`]);
  }
});

Deno.test("postalias reads the format of aliases(5)", async () => {
  const answers = await said(postalias, ["-q", "root", "%/aliases"], { aliases: "root: you\n" });
  assertEquals(answers, [0, "you\n", ""]);
});
