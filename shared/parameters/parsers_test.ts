import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { ConfigError } from "../errors.ts";
import {
  assertQuick,
  attempt,
  disguised,
  near,
  PROTOTYPE_NAMES,
} from "../../tests/support/hostile.ts";
import {
  interfaces,
  networks,
  nexthopList,
  nexthops,
  parseTransport,
  path,
  transport,
  words,
} from "./parsers.ts";
import { feedback } from "./qmgr.ts";

const doc = "A test.";

Deno.test("parseTransport() takes any text apart at its first colon, and gives it back", () => {
  fc.assert(fc.property(near("smtp", ":", " ", "[a.test]", "25", "\t"), (text) => {
    const { transport, nexthop } = parseTransport(text);
    assert(!transport.includes(":"));
    assertEquals([transport.trim(), nexthop.trim()], [transport, nexthop]);
    const colon = text.includes(":");
    assertEquals(
      text.replace(/\s/g, ""),
      `${transport}${colon ? ":" : ""}${nexthop}`.replace(/\s/g, ""),
    );
  }));
  assertQuick(parseTransport, [" ", ":", "a", ": "]);
});

Deno.test("parseTransport() gives back a transport and a next hop of any name", () => {
  const name = fc.oneof(fc.stringMatching(/^[!-9;-~]+$/), fc.constantFrom(...PROTOTYPE_NAMES));
  fc.assert(fc.property(name, name, (transport, nexthop) => {
    assertEquals(parseTransport(`${transport}:${nexthop}`), { transport, nexthop });
  }));
});

const CLASSES = ["bounce", "risk", "software"];
const KINDS = {
  words: words("x", "", CLASSES, { doc }),
  interfaces: interfaces("x", "", { doc }),
  networks: networks("x", "", { doc }),
  nexthops: nexthops("x", "", { doc }),
  nexthopList: nexthopList("x", "", { doc }),
  transport: transport("x", "", { doc }),
  path: path("x", "", { doc }),
  feedback: feedback("x", "", { doc }),
};
const PARTS = [
  ...CLASSES,
  ...["all", "loopback-only", "127.0.0.1", "[::1]", "::", "/8", "!", "cidr:/", "/f", "unix:/s"],
  ...["inet:", "a.test", ":25", ":constructor", "1", "/", "sqrt_concurrency", ".", "concurrency"],
  ...[" ", ",", "{", "}", "[", "]", ":"],
];

for (const [name, { parse }] of Object.entries(KINDS)) {
  Deno.test(`${name}() has a value or ConfigError for any text, in time`, () => {
    fc.assert(fc.property(near(...PARTS), (text) => {
      attempt<unknown>(() => parse(text), ConfigError);
    }));
    const around = ["", "[", "!", "a:", "1/"];
    assertQuick(parse, [...PARTS, "a", "0"], { around, declared: [ConfigError] });
  });
}

Deno.test("words() gives known words in small letters, and takes none that only looks like one", () => {
  const { parse } = KINDS.words;
  fc.assert(fc.property(near(...CLASSES, "BOUNCE", " ", ","), (text) => {
    const found = attempt(() => parse(text), ConfigError);
    assert(
      found === undefined || found.length > 0 && found.every((each) => CLASSES.includes(each)),
    );
  }));
  assertEquals(parse("Bounce, RISK"), ["bounce", "risk"]);
  for (const each of disguised("risk")) assertThrows(() => parse(each), ConfigError);
  for (const each of disguised("loopback-only")) {
    assertThrows(() => KINDS.interfaces.parse(each), ConfigError);
  }
});

Deno.test("feedback() is a share from 0 to 1", () => {
  fc.assert(fc.property(near("0", "1", "9", ".", "/", "concurrency", "sqrt_"), (text) => {
    const found = attempt(() => KINDS.feedback.parse(text), ConfigError);
    if (!found) return;
    assert(found.amount >= 0 && found.amount <= 1);
    assertEquals(found.over === "one", !text.endsWith("concurrency"));
  }));
});

Deno.test("networks() gives networks whose bytes and bits fit together", () => {
  fc.assert(fc.property(near("10.0.0.0", "::1", "/", "8", "[", "]", "!", " ", "/f"), (text) => {
    for (const item of attempt(() => KINDS.networks.parse(text), ConfigError) ?? []) {
      if (!("network" in item)) continue;
      const { bytes, bits } = item.network;
      assert((bytes.length === 4 || bytes.length === 16) && bits >= 0 && bits <= bytes.length * 8);
    }
  }));
});
