import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { ReplyParser } from "../../shared/smtp/reply_parser.ts";
import { assertQuick, disguised, near, PROTOTYPE_NAMES } from "../../tests/support/hostile.ts";
import { type Features, features, NO_FEATURES } from "./features.ts";

const KEYWORDS: Readonly<Record<string, Partial<Features>>> = {
  PIPELINING: { pipelining: true },
  "8BITMIME": { eightBit: true },
  SMTPUTF8: { utf8: true },
  DSN: { dsn: true },
  STARTTLS: { starttls: true },
  SIZE: { size: true },
  "SIZE 1000": { size: true, sizeLimit: 1000 },
};

for (const [line, expected] of Object.entries(KEYWORDS)) {
  Deno.test(`features() knows ${line}, in any case, after the first line alone`, () => {
    assertEquals(features(["mx", line], []), { ...NO_FEATURES, ...expected });
    assertEquals(features(["mx", ` ${line.toLowerCase()}  x`], []), {
      ...NO_FEATURES,
      ...expected,
    });
    assertEquals(features([line], []), NO_FEATURES);
    assertEquals(features(["mx", line], [line.toLowerCase().split(" ")[0]!]), NO_FEATURES);
  });

  Deno.test(`features() takes nothing that only looks like ${line}`, () => {
    for (const each of disguised(line)) assertEquals(features(["mx", each], []), NO_FEATURES, each);
  });
}

Deno.test("features() makes bounded values of any reply, and knows each keyword that stands on a line of its own", () => {
  const line = near(...Object.keys(KEYWORDS), " ", "=", "-1", "1e9", "9".repeat(20), "\t");
  fc.assert(fc.property(fc.array(line, { maxLength: 20 }), (lines) => {
    const found = features(lines, PROTOTYPE_NAMES);
    assert(Number.isSafeInteger(found.sizeLimit) && found.sizeLimit >= 0);
    assert(found.size || found.sizeLimit === 0);
    const words = lines.slice(1).map((each) => each.trim().split(/\s+/)[0]);
    for (const [keyword, { size, ...flags }] of Object.entries(KEYWORDS)) {
      if (size) continue;
      const [name] = Object.keys(flags) as (keyof Features)[];
      if (words.includes(keyword)) assertEquals(found[name!], true, keyword);
    }
  }));
});

Deno.test("features() of any bytes that a server sends for a reply neither fails nor takes long", () => {
  const bytes = fc.uint8Array({ maxLength: 300 });
  fc.assert(fc.property(bytes, (bytes) => {
    const sent = new Uint8Array([..."250-".split("").map((c) => c.charCodeAt(0)), ...bytes, 10]);
    new ReplyParser().push(sent, (reply) => features(reply.lines, []));
  }));
  assertQuick((text) => features(["mx", text], []), [" ", "a", "a ", "\t", "SIZE ", "\u00a0"]);
});
