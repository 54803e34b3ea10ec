/** What waits in the maildrop while nobody takes it. Anybody may put anything there: see `shared/maildrop/open_file.ts`. */

import { FILE_NAME } from "../../shared/maildrop/drop.ts";
import { readEnvelope } from "../../shared/maildrop/file_format.ts";
import { openSeen, see, type Seen } from "../../shared/maildrop/open_file.ts";
import type { Waiting } from "./queue_listing.ts";

/** Files of the maildrop that are looked at: an envelope of each is read. */
const MAX_LISTED = 100_000;

/**
 * The submissions; none where we may not look, and name and size alone of files that we may not or cannot read. Returns how
 * many more names there are.
 */
export async function* listMaildrop(
  directory: string,
  most = MAX_LISTED,
): AsyncGenerator<Waiting, number> {
  const names = await submissionNames(directory);
  for (const name of names.slice(0, most)) {
    const waiting = look(directory, name);
    if (waiting) yield waiting;
  }
  return Math.max(0, names.length - most);
}

async function submissionNames(directory: string): Promise<string[]> {
  try {
    const names = (await Array.fromAsync(Deno.readDir(directory))).map(({ name }) => name);
    return names.filter((name) => FILE_NAME.test(name));
  } catch (error) {
    // Only the owner of the system and root may list it; it is not there before the first start.
    if (error instanceof Deno.errors.PermissionDenied || error instanceof Deno.errors.NotFound) {
      return [];
    }
    throw error;
  }
}

/** One file; undefined for what is gone, or is none. */
function look(directory: string, name: string): Waiting | undefined {
  const seen = see(directory, name);
  if (!seen || seen.trap) return undefined;
  const { sender, recipients, size } = read(directory, name, seen);
  return {
    queue_name: "maildrop",
    queue_id: name,
    // Whose file it is may set the time to anything.
    arrival_time: Math.floor(Math.min(Math.max(seen.modified, 0), Date.now()) / 1000),
    message_size: size,
    forced_expire: false,
    sender,
    recipients: recipients.map((address) => ({ address })),
  };
}

function read(
  directory: string,
  name: string,
  seen: Seen,
): { sender?: string; recipients: string[]; size: number } {
  let file;
  try {
    file = openSeen(directory, name, seen);
    const { envelope, size } = readEnvelope(file.read, file.size);
    return { ...envelope, size };
  } catch {
    // Another's, or no submission: what the directory says of it is still true.
    return { recipients: [], size: seen.size };
  } finally {
    file?.close();
  }
}
