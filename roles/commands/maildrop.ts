/**
 * What waits in the maildrop, for those who may look into it. Anybody may put anything there (see
 * `shared/maildrop/open_file.ts`), its owner in the place of anything: root looks as that owner.
 */

import type { Which } from "../../shared/protocols/queue.ts";
import { reason } from "../../shared/errors.ts";
import { FILE_NAME } from "../../shared/maildrop/drop.ts";
import { readEnvelope, type Submission } from "../../shared/maildrop/file_format.ts";
import { openSeen, remove, see, type Seen } from "../../shared/maildrop/open_file.ts";
import { asOwner } from "./as_owner.ts";
import type { Waiting } from "./queue_listing.ts";

/** Files of the maildrop that are looked at: an envelope of each is read. */
const MAX_LISTED = 100_000;
/** So many are looked at before they are shown. */
const LIST_PAGE = 100;

/**
 * The submissions; none where we may not look, and name, size and what is wrong of files that we may not or cannot read.
 * Returns how many more names there are.
 */
export async function* listMaildrop(
  directory: string,
  most = MAX_LISTED,
): AsyncGenerator<Waiting, number> {
  const names = asOwner(directory, () => submissionNames(directory));
  const listed = names.slice(0, most);
  for (let at = 0; at < listed.length; at += LIST_PAGE) {
    const page = listed.slice(at, at + LIST_PAGE);
    yield* asOwner(directory, () => page.flatMap((name) => look(directory, name) ?? []));
  }
  return names.length - listed.length;
}

/** A submission that waits, open until `close`. */
export interface Opened extends Pick<Submission, "envelope" | "size" | "content"> {
  /** Milliseconds since the epoch. */
  readonly arrived: number;
  close(): void;
}

/** One submission; undefined where there is none of this name. Throws NotASubmission for what is none, or is not for us. */
export function openSubmission(directory: string, name: string): Opened | undefined {
  if (!FILE_NAME.test(name)) return undefined;
  const found = asOwner(directory, () => {
    const seen = see(directory, name);
    return seen && { seen, file: openSeen(directory, name, seen) };
  });
  if (!found) return undefined;
  const { seen, file } = found;
  try {
    const { envelope, size, content } = readEnvelope(file.read, file.size);
    return { envelope, size, content, arrived: arrivalOf(seen), close: file.close };
  } catch (error) {
    file.close();
    throw error;
  }
}

/** Removes submissions, also what only has the name of one; how many. */
export function removeSubmissions(directory: string, which: Which): number {
  const named = which === "ALL" ? which : which.filter((id) => FILE_NAME.test(id));
  if (!named.length) return 0;
  return asOwner(directory, () => {
    const names = named === "ALL" ? submissionNames(directory) : named;
    return names.filter((name) => see(directory, name) && remove(directory, name)).length;
  });
}

function submissionNames(directory: string): string[] {
  try {
    const names = Deno.readDirSync(directory).map(({ name }) => name);
    return names.filter((name) => FILE_NAME.test(name)).toArray();
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
  const { sender, recipients, size, reason } = read(directory, name, seen);
  return {
    queue_name: "maildrop",
    queue_id: name,
    arrival_time: Math.floor(arrivalOf(seen) / 1000),
    message_size: size,
    forced_expire: false,
    sender,
    recipients: recipients.map((address) => ({ address })),
    ...(reason === undefined ? {} : { reason }),
  };
}

/** Whose file it is may set the time to anything. */
function arrivalOf({ modified }: Seen): number {
  return Math.min(Math.max(modified, 0), Date.now());
}

function read(
  directory: string,
  name: string,
  seen: Seen,
): { sender?: string; recipients: string[]; size: number; reason?: string } {
  let file;
  try {
    file = openSeen(directory, name, seen);
    const { envelope, size } = readEnvelope(file.read, file.size);
    return { ...envelope, size };
  } catch (error) {
    // Another's, or no submission: what the directory says of it is still true.
    return { recipients: [], size: seen.size, reason: reason(error) };
  } finally {
    file?.close();
  }
}
