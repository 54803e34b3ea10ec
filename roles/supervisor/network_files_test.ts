import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { ConfigError } from "../../shared/errors.ts";
import { readNetworks } from "./network_files.ts";

/** The files that the lists below name. */
const FILES: Record<string, string> = {
  list: "# ours\n192.0.2.0/24, !198.51.100.7\n  [2001:db8::]/32\n",
  cidr: "# ours\n192.0.2.0/24 yes\n2001:db8::/32 no\n",
  both: "cidr:$d/cidr /$d/list",
  circle: "$d/circle",
  negated: "192.0.2.0/24 yes\n!10.0.0.0/8 yes\n",
  conditional: "if 192.0.2.0/24\n192.0.2.1 yes\nendif\n",
  conditionless: "if nothing\n10.0.0.0/8 yes\nendif\n192.0.2.0/24 yes\n",
  nested: "cidr:$d/broken\n",
  broken: "192.0.2.0/24 yes\n192.0.2.1/24 yes\n",
};

function read(list: string, skipped?: (text: string) => void): string {
  const directory = Deno.makeTempDirSync();
  try {
    for (const [name, text] of Object.entries(FILES)) {
      Deno.writeTextFileSync(`${directory}/${name}`, text.replaceAll("$d", directory));
    }
    return readNetworks(list.replaceAll("$d", directory), skipped);
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

for (
  const [list, expected] of [
    ["10.0.0.0/8, !10.1.2.3 [::1]/128", "10.0.0.0/8 !10.1.2.3 [::1]/128"],
    ["$d/list", "192.0.2.0/24 !198.51.100.7 [2001:db8::]/32"],
    ["!$d/list", "!192.0.2.0/24 !!198.51.100.7 ![2001:db8::]/32"],
    ["10.0.0.1 cidr:$d/cidr", "10.0.0.1 192.0.2.0/24 2001:db8::/32"],
    ["!cidr:$d/cidr", "!192.0.2.0/24 !2001:db8::/32"],
    [
      "$d/both",
      "192.0.2.0/24 2001:db8::/32 192.0.2.0/24 !198.51.100.7 [2001:db8::]/32",
    ],
    // A line that is left out lists nothing.
    ["cidr:$d/broken", "192.0.2.0/24"],
    ["!!cidr:$d/broken", "192.0.2.0/24"],
    ["cidr:$d/conditionless", "192.0.2.0/24"],
    ["", ""],
  ] as const
) {
  Deno.test(`readNetworks() makes "${expected}" of "${list}"`, () => {
    assertEquals(read(list), expected);
  });
}

for (
  const [list, error] of [
    ["/nonexistent", "/nonexistent: cannot open: no such file"],
    ["$d/circle", "included deeper than 10"],
    ["cidr:$d/negated", "line 2: IF and ! cannot be used here"],
    ["cidr:$d/conditional", "line 1: IF and ! cannot be used here"],
    // Where it would list more, it is an error.
    ["!cidr:$d/broken", "line 2: non-null host address bits"],
    ["!$d/nested", "line 2: non-null host address bits"],
    ["hash:/x", "only cidr:/file can be used here"],
  ] as const
) {
  Deno.test(`readNetworks() refuses ${list}`, () => {
    assertThrows(() => read(list), ConfigError, error);
  });
}

Deno.test("readNetworks() says which lines it leaves out", () => {
  const said: string[] = [];
  assertEquals(read("cidr:$d/broken", (text) => said.push(text)), "192.0.2.0/24");
  assertEquals(said.length, 1);
  assertMatch(
    said[0]!,
    /^\/.*\/broken, line 2: non-null host address bits in "192.0.2.1\/24".*: skipping this rule$/,
  );
});

Deno.test("readNetworks() is bounded", () => {
  const text = Array.from({ length: 10_001 }, () => "10.0.0.1").join(" ");
  assertThrows(() => readNetworks(text), ConfigError, "must be no more than 10000 networks");
});
