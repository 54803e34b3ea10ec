/** The project's TypeScript files, as the rules see them. */

import { dirname, join, relative } from "@std/path";

/** One source file: its path from the root, its text, and the same without comments. */
export interface Source {
  readonly path: string;
  readonly text: string;
  readonly code: string;
  /** Only tests load it. */
  readonly test: boolean;
}

export const root = join(import.meta.dirname!, "..", "..");
const SKIPPED = new Set(["node_modules", "var", "dist", ".git", ".deno"]);

/** Every TypeScript file of the project. */
export const sources: readonly Source[] = walk(root).toSorted().map((file) => {
  const path = relative(root, file), text = Deno.readTextFileSync(file);
  return { path, text, code: withoutComments(text), test: isTest(path) };
});

/** What runs in the mail system itself. */
export const product = sources.filter((source) => !source.test);

function isTest(path: string): boolean {
  return path.startsWith("tests/") || /(^|[/_])test(ing)?(_\w+)?\.ts$|_test(_\w+)?\.ts$/.test(path);
}

function walk(directory: string): string[] {
  return [...Deno.readDirSync(directory)].flatMap((entry) => {
    if (SKIPPED.has(entry.name) || entry.name.startsWith(".")) return [];
    const path = join(directory, entry.name);
    if (entry.isDirectory) return walk(path);
    return entry.name.endsWith(".ts") ? [path] : [];
  });
}

/** Enough for these rules: comments that stand on lines of their own, or after two spaces or code. */
function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/(^|\s)\/\/.*$/gm, "$1");
}

/** What a file imports: paths from the root for its own modules, specifiers as they stand for others. */
export function imports({ path, code }: Source): string[] {
  const found = code.matchAll(
    /^\s*(?:import|export)\b[^;"']*?\bfrom\s*["']([^"']+)["']|\bimport\(\s*["']([^"']+)["']|^import\s*["']([^"']+)["']/gm,
  );
  return [...found].map((match) => {
    const specifier = (match[1] ?? match[2] ?? match[3])!;
    return specifier.startsWith(".") ? join(dirname(path), specifier) : specifier;
  });
}

/** The folder of roles/ that a path is in. */
export function roleOf(path: string): string | undefined {
  return /^roles\/([^/]+)\//.exec(path)?.[1];
}

/** Fails with one line for each offence, after a sentence that says what to do. */
export function none(offences: readonly string[], whatToDo: string): void {
  if (offences.length) throw new Error(`${whatToDo}\n  ${offences.join("\n  ")}`);
}
