import { assertEquals } from "@std/assert";
import { findConfigDirectory } from "./facts.ts";

function find(
  present: readonly string[],
  env: Record<string, string> = {},
  explicit?: string,
): string {
  const { directory, hint } = findConfigDirectory(
    explicit,
    (name) => env[name],
    "/srv/clone",
    (directory) => present.includes(directory),
  );
  return hint ? `${directory} (hint)` : directory;
}

Deno.test("findConfigDirectory() takes -c before MAIL_CONFIG before what is installed", () => {
  const installed = ["/etc/postern", "/etc/postfix"];
  assertEquals(find(installed, { MAIL_CONFIG: "/env" }, "/explicit"), "/explicit");
  assertEquals(find(installed, { MAIL_CONFIG: "/env" }), "/env");
  assertEquals(find(installed), "/etc/postern");
  assertEquals(find([]), "/srv/clone/config");
});

Deno.test("findConfigDirectory() passes over a host's Postfix with a hint, unless told otherwise", () => {
  assertEquals(find(["/etc/postfix"]), "/srv/clone/config (hint)");
  assertEquals(find(["/etc/postfix"], { POSTERN_USE_POSTFIX_CONFIG: "yes" }), "/etc/postfix");
});
