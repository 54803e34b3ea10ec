/** Runs every dialog file here against the session in memory. */

import { fromFileUrl } from "@std/path";
import { runDialog } from "./dialog.ts";
import { connectInMemory } from "./memory.ts";

export { runDialog };

const folder = fromFileUrl(new URL(".", import.meta.url));
const files = [...Deno.readDirSync(folder)].map(({ name }) => name)
  .filter((name) => name.endsWith(".dialog")).sort();

for (const file of files) {
  const text = Deno.readTextFileSync(folder + file);
  const title = /^# (.*)$/m.exec(text)?.[1] ?? file;
  Deno.test(`${file}: ${title}`, () => runDialog(text, () => connectInMemory(text)));
}
