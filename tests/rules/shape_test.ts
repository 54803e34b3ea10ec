/** How files look: headers, sizes (STYLE C1, C8, C16). */

import { none, product, roleOf, sources } from "./sources.ts";

const MAX_FILE_LINES = 400;
const MAX_FUNCTION_LINES = 60;
/** Files that may be longer, each with its reason. */
const LONG_FILES = new Map<string, string>([]);

const mains = product.filter(({ path }) => /^roles\/[^/]+\/main\.ts$/.test(path));

for (const { path, text } of mains) {
  const role = roleOf(path)!;
  Deno.test(`${path} begins with "${role} - purpose." and the four words`, () => {
    const header = /^\/\*\*\n([\s\S]*?)\*\//.exec(text)?.[1] ?? "";
    const missing = ["Trusts", "Talks to", "Keeps", "Fails"].filter((word) =>
      !new RegExp(`^ \\* ${word}\\s+\\S`, "m").test(header)
    );
    none(missing, `Say in the header of ${path} (STYLE C1) what it:`);
    if (!new RegExp(`^ \\* ${role} - .*\\.$`, "m").test(header)) {
      throw new Error(`Begin the header of ${path} with " * ${role} - what it is for."`);
    }
  });
}

Deno.test("there are roles to look at", () => {
  if (mains.length < 8) throw new Error(`only ${mains.length} main.ts were found`);
});

Deno.test(`no file is over ${MAX_FILE_LINES} lines`, () => {
  const long = sources.map(({ path, text }) => ({ path, lines: text.split("\n").length - 1 }))
    .filter(({ path, lines }) => lines > MAX_FILE_LINES && !LONG_FILES.has(path));
  none(long.map(({ path, lines }) => `${path}: ${lines}`), "Divide it by what it is about:");
});

/** Named functions and methods with their lengths: the formatter puts their ends at the depth of their beginnings. */
function functions(text: string): { name: string; lines: number }[] {
  const begin =
    /^( *)(?:export )?(?:(?:async )?function\*? (\w+)|(?:static |override |async |get |set )*\*?(#?\w+)(?:<.*>)?\()/;
  const lines = text.split("\n");
  return lines.flatMap((line, at) => {
    const match = begin.exec(line);
    const name = match?.[2] ?? match?.[3];
    if (!match || !name || /^(if|for|while|switch|return|catch)$/.test(name)) return [];
    if (match[3] && match[1] === "") return []; // A call at the top level, not a method.
    if (/[;}]$/.test(line)) return []; // It ends where it begins.
    const end = lines.findIndex((later, n) => n > at && later.startsWith(`${match[1]}}`));
    return end < 0 ? [] : [{ name, lines: end - at + 1 }];
  });
}

Deno.test(`no function is over ${MAX_FUNCTION_LINES} lines`, () => {
  const measured = product.flatMap(({ path, text }) =>
    functions(text).map((each) => ({ ...each, path }))
  );
  if (measured.length < 300) throw new Error(`only ${measured.length} functions were found`);
  none(
    measured.filter(({ lines }) => lines > MAX_FUNCTION_LINES)
      .map(({ path, name, lines }) => `${path} ${name}: ${lines}`),
    "Give its steps names:",
  );
});

Deno.test("file names are in snake_case", () => {
  none(
    sources.map(({ path }) => path).filter((path) => !/^([a-z0-9_]+\/)*[a-z0-9_]+\.ts$/.test(path)),
    "Rename:",
  );
});
