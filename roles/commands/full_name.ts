/** The full name of who submits a message, for a From header that is missing (reference 5.4). */

import type { CommandIo } from "./io.ts";

const USERS = "/etc/passwd";
/** A submission has no room for more. */
const MAX_FULL_NAME = 256;

/** What -F gives, else $NAME, else the list of users; empty when none of them has a name. */
export function fullName(given: string | undefined, io: CommandIo): string {
  const name = given ?? io.env("NAME") ?? listedName(io.users ?? users(), Deno.uid());
  return name.replace(/\p{Cc}/gu, " ").slice(0, MAX_FULL_NAME).toWellFormed();
}

/** The name in the fifth field of passwd(5): it ends at a comma, and its `&` is the user's name with a capital. */
export function listedName(passwd: string, uid: number | null): string {
  const fields = passwd.split("\n").map((line) => line.split(":"));
  const [login = "", , , , comment = ""] = fields.find((each) => each[2] === String(uid)) ?? [];
  const [name = ""] = comment.split(",", 1);
  return name.replaceAll("&", () => login.slice(0, 1).toUpperCase() + login.slice(1)).trim();
}

function users(): string {
  try {
    return Deno.readTextFileSync(USERS);
  } catch {
    return ""; // A name is not worth an error.
  }
}
