/** The directories under queue_directory, with the owners and modes that keep users and roles apart. */

import {
  accessSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  lstatSync,
  openSync,
} from "node:fs";
import { dirname } from "@std/path";
import { isThere } from "../../policies/bwrap.ts";
import type { Grant, Host, User } from "../../policies/grant.ts";
import { utf8Bytes } from "../../shared/bytes.ts";
import { ConfigError, reason } from "../../shared/errors.ts";
import {
  type Audience,
  databaseDirectory,
  maildropDirectory,
  MAX_SOCKET_PATH,
  publicServices,
  socketDirectory,
  socketPath,
} from "../../shared/layout.ts";
import { modeText, othersMayChange, withOpened } from "./by_descriptor.ts";
import { bindUnix, type Handle } from "./handles.ts";

/** Makes what is missing and sets what is wrong; nothing outside the configured directories. */
export function makeDirectories(queue: string, host: Host): void {
  const owner = host.mailOwner;
  Deno.mkdirSync(queue, { recursive: true });
  // It may be a link: to one that only root can change, `placeProblems` has no objection.
  make(Deno.realPathSync(queue), host.root ? 0o755 : 0o700, null);
  // Roles reach the sockets through their group; other users do not.
  make(`${queue}/private`, host.root ? 0o710 : 0o700, owner && { ...owner, uid: 0 });
  make(`${queue}/public`, host.root ? 0o755 : 0o700, null);
  make(databaseDirectory(queue), 0o700, owner);
  // Any user may add a file, nobody but the owner may list them.
  make(maildropDirectory(queue), host.root ? 0o1733 : 0o700, owner);
}

/** A directory of a role's own, for a user that may not be mail_owner. */
export function makeOwned(path: string, owner: User | null): void {
  make(path, 0o700, owner);
}

/**
 * The directory of all mailboxes, for the role that writes them as `user`. Owner and mode are given to a new one only: one
 * that is there may hold more than mailboxes (/home). Throws ConfigError when the role cannot use that.
 */
export function makeMailboxBase(path: string, writer: MailboxWriter): void {
  const { user, capabilities } = writer;
  try {
    Deno.mkdirSync(dirname(path), { recursive: true });
    Deno.mkdirSync(path, { mode: 0o700 });
    return withOpened(path, "directory", [Deno.uid()!], (descriptor) => {
      // Owners from a table have to get through to their mailboxes; nobody has to list them.
      if (capabilities.includes("dac_override")) fchmodSync(descriptor, 0o711);
      if (user) fchownSync(descriptor, user.uid, user.gid);
    });
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) {
      throw new ConfigError(`virtual_mailbox_base: cannot prepare ${path}: ${reason(error)}`);
    }
  }
  const problem = mailboxBaseProblem(path, writer);
  if (problem) throw new ConfigError(`virtual_mailbox_base: ${problem}`);
}

/** Why the role cannot use the directory of all mailboxes that is there; undefined also when there is none. */
export function mailboxBaseProblem(path: string, writer: MailboxWriter): string | undefined {
  if (!isThere(path)) return undefined;
  const { user, capabilities } = writer, found = Deno.statSync(path);
  if (!found.isDirectory) return `must be a directory: is "${path}"`;
  if (capabilities.includes("dac_override") || mayWrite(path, found, user)) return undefined;
  const name = user?.name ?? "the user who starts the system";
  return `${path} belongs to ${found.uid}:${found.gid}, its mode is ${
    modeText(found.mode!)
  }, and ${name} has to write there: ` +
    `give it to ${name} with mode 0700, or name a directory that is not there yet`;
}

/** The process that writes mailboxes. */
type MailboxWriter = Pick<Grant, "user" | "capabilities">;

/** Whether a user may read, write and enter a directory; null is ourselves. */
function mayWrite(path: string, { mode, uid, gid }: Deno.FileInfo, user: User | null): boolean {
  if (user) {
    const shift = uid === user.uid ? 6 : gid === user.gid ? 3 : 0;
    return (mode! >> shift & 0o7) === 0o7;
  }
  try {
    accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** What maillog_file may be beside a file: inherited, and not ours to change. */
export const STDOUT = "/dev/stdout";

/** An empty log file where there is none, for a role that may write that file and nothing beside it. */
export function makeLogFile(path: string, owner: User | null): void {
  if (path === STDOUT) return;
  try {
    Deno.mkdirSync(dirname(path), { recursive: true });
    if (!owner) return Deno.openSync(path, { append: true, create: true, mode: 0o640 }).close();
    if (makeFor(owner, path)) return;
    withOpened(path, "file", logOwners(path, owner), (descriptor) => {
      fchownSync(descriptor, owner.uid, owner.gid);
    });
  } catch (error) {
    throw new ConfigError(`maillog_file: cannot prepare ${path}: ${reason(error)}`);
  }
}

/** Whose a log file may be when it is given to its owner: root's only where nobody else could have put it there. */
export function logOwners(path: string, owner: User): number[] {
  return othersMayChange(Deno.statSync(dirname(path))) ? [owner.uid] : [owner.uid, 0];
}

/** Makes a file and gives it away; false when there is something of its name. */
function makeFor(owner: User, path: string): boolean {
  let file: number;
  try {
    file = openSync(path, "wx", 0o640);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
  fchownSync(file, owner.uid, owner.gid);
  closeSync(file);
  return true;
}

/** Makes a directory, or sets what is wrong with one that is its owner's or ours. */
function make(path: string, mode: number, owner: User | null): void {
  try {
    Deno.mkdirSync(path, { recursive: true });
    const owners = [...(owner ? [owner.uid] : []), Deno.uid()!];
    withOpened(path, "directory", owners, (descriptor, now) => {
      if (owner && (now.uid !== owner.uid || now.gid !== owner.gid)) {
        fchownSync(descriptor, owner.uid, owner.gid);
      }
      if ((now.mode & 0o7777) !== mode) fchmodSync(descriptor, mode);
    });
  } catch (error) {
    throw new ConfigError(`cannot prepare ${path}: ${reason(error)}`);
  }
}

/** Lets every user reach an `authorized` service, or root and the owner of the system alone; also while it is answered. */
export function openService(queue: string, service: string, toAll: boolean, host: Host): void {
  const owner = host.mailOwner && { ...host.mailOwner, uid: 0 };
  make(socketDirectory(queue, service), host.root ? (toAll ? 0o755 : 0o710) : 0o700, owner);
}

/** Binds a service's socket in its own directory; a stale one of a former start is removed. */
export function bindService(queue: string, service: string, host: Host): Handle {
  const path = socketPath(queue, service);
  clearSocket(queue, service, host);
  const handle = bindUnix(path);
  protectSocket(queue, service, host);
  return handle;
}

/**
 * Moves a socket that a role has bound into the service's place, over a former one if there is one. Throws when it is none.
 * The role owns the directory that it comes from, and might put a link there between our look and our chmod: so it is moved
 * first to where nobody else can.
 */
export function placeSocket(queue: string, service: string, from: string, host: Host): void {
  const path = socketPath(queue, service), moved = `${path}.new`;
  clearPlace(moved);
  Deno.renameSync(from, moved);
  const { isSocket, nlink } = Deno.lstatSync(moved);
  if (!isSocket || nlink !== 1) {
    clearPlace(moved);
    throw new Error(`${from}: not a socket of its own`);
  }
  protect(moved, service, host);
  // Over anything else it can be moved, so that there is no gap.
  if (lstatSync(path, { throwIfNoEntry: false })?.isDirectory()) clearPlace(path);
  Deno.renameSync(moved, path);
}

/** How much longer the name may be under which a role binds (`bindDirectory`). */
const BIND_NAME_LENGTH = "new/1000000".length;

/** Why a service's socket cannot be there; undefined when it can. */
export function socketProblem(path: string): string | undefined {
  if (utf8Bytes(path).length + BIND_NAME_LENGTH <= MAX_SOCKET_PATH) return undefined;
  return `${path} is longer than a socket's path may be (${MAX_SOCKET_PATH}): choose a shorter directory`;
}

/** Makes room for a service's socket. */
export function clearSocket(queue: string, service: string, host: Host): void {
  const path = socketPath(queue, service), problem = socketProblem(path);
  if (problem) throw new ConfigError(`queue_directory: ${problem}`);
  // Who may enter the directory of the others, the configuration says: openService().
  if (publicServices.get(service) !== "authorized") {
    // The supervisor's own socket is there for a moment before it has its mode.
    const isOpen = host.root && service !== "control";
    make(socketDirectory(queue, service), isOpen ? 0o755 : 0o700, null);
  }
  clearPlace(path);
}

/**
 * Removes what is in the place of something of ours, with all that is in it: without bubblewrap another role may have put a
 * directory there. Of a link it removes the link. Throws ConfigError.
 */
export function clearPlace(path: string): void {
  try {
    Deno.removeSync(path, { recursive: true });
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    throw new ConfigError(`cannot make room for ${path}: ${reason(error)}`);
  }
}

/** What keeps others from a socket, beside its directory. Roles reach theirs through the group. */
const SOCKET_MODES: Readonly<Record<Audience, number>> = {
  everybody: 0o666,
  authorized: 0o666,
  owner: 0o600,
  roles: 0o660,
};

/** Sets who may connect. */
export function protectSocket(queue: string, service: string, host: Host): void {
  protect(socketPath(queue, service), service, host);
}

function protect(path: string, service: string, host: Host): void {
  if (host.mailOwner) Deno.chownSync(path, 0, host.mailOwner.gid);
  Deno.chmodSync(path, SOCKET_MODES[publicServices.get(service) ?? "roles"]);
}
