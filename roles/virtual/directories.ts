/**
 * The directories of a Maildir: made where they are missing, and looked at one by one, because a symbolic link in their
 * place would lead out of the mailboxes (the runtime checks the name of a file, not where links lead).
 */

import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  openSync,
  type Stats,
} from "node:fs";
import { lstat, mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import process from "node:process";
import { give, type Owner } from "./owner.ts";
import type { SyncRounds } from "./sync_rounds.ts";
import { codeOf, Trouble } from "./trouble.ts";

/** How long a Maildir that was looked at is trusted to stay what it is. */
export const FRESH_MS = 1000;
/** The most Maildirs that are remembered. */
const MAX_KNOWN = 5000;
const PRIVATE = 0o700;
/** A directory between the base and a Maildir may be passed through, not listed. */
const PASSABLE = 0o711;

/** A Maildir that was looked at. */
export interface Maildir {
  readonly path: string;
  /** `UID:GID` that new files in it have by themselves, once a file has shown it. */
  gives?: string;
}

interface Known {
  readonly maildir: Maildir;
  readonly until: number;
}

export class Directories {
  #known = new Map<string, Known>();

  constructor(
    readonly base: string,
    readonly syncs: SyncRounds,
    readonly clock: () => number = () => performance.now(),
  ) {}

  /**
   * Makes sure that the Maildir and its three parts are directories; `components` are its names below the base. Without an
   * owner everything stays with the user that this process is.
   */
  async ensure(components: readonly string[], owner: Owner | undefined): Promise<Maildir> {
    const path = [this.base, ...components].join("/");
    const known = this.#known.get(path);
    if (known && this.clock() < known.until) return known.maildir;
    await this.#makeBetween(components.slice(0, -1));
    const ours = await makeOwn(path, owner);
    if (ours) await this.syncs.directory(dirname(path));
    const parts = await Promise.allSettled(
      ["tmp", "new", "cur"].map((part) => makePart(`${path}/${part}`, owner)),
    );
    const failed = parts.find((part) => part.status === "rejected");
    if (failed) throw failed.reason;
    // The Maildir is given away last: until then nobody else can exchange what is in it.
    if (parts.some((part) => part.status === "fulfilled" && part.value)) {
      await this.syncs.directory(path);
    }
    if (ours) giveDirectory(owner, path);
    return this.#remember({ path });
  }

  /** Looks again next time. */
  forget(path: string): void {
    this.#known.delete(path);
  }

  async #makeBetween(components: readonly string[]): Promise<void> {
    let at = this.base;
    for (const component of components) {
      at += `/${component}`;
      if (await make(at, PASSABLE)) continue;
      letPass(at);
      await this.syncs.directory(dirname(at));
    }
  }

  #remember(maildir: Maildir): Maildir {
    if (this.#known.size >= MAX_KNOWN) this.#known.clear();
    this.#known.set(maildir.path, { maildir, until: this.clock() + FRESH_MS });
    return maildir;
  }
}

async function makePart(path: string, owner: Owner | undefined): Promise<boolean> {
  const ours = await makeOwn(path, owner);
  if (ours) giveDirectory(owner, path);
  return ours;
}

/**
 * True for a Maildir or a part of one that is to be given away: it was made now, or by a call that came no further, because
 * of a full disk or a crash.
 */
async function makeOwn(path: string, owner: Owner | undefined): Promise<boolean> {
  const found = await make(path, PRIVATE);
  return !found || (owner !== undefined && owner.uid !== process.getuid!() && isAsMade(found));
}

/** What is in that place; undefined when the directory had to be made. */
async function make(path: string, mode: number): Promise<Stats | undefined> {
  const found = await look(path);
  if (found) return found;
  try {
    await mkdir(path, mode);
    return undefined;
  } catch (error) {
    // Another delivery was faster: what it made is looked at like anything else.
    const other = codeOf(error) === "EEXIST" ? await look(path) : undefined;
    if (other) return other;
    throw new Trouble("create directory", path, error);
  }
}

/** Undefined when there is nothing; throws Trouble when there is no directory but something else. */
async function look(path: string): Promise<Stats | undefined> {
  let found;
  try {
    found = await lstat(path);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw new Trouble("look at directory", path, error);
  }
  if (found.isDirectory()) return found;
  throw new Trouble("open directory", path, new Error("Not a directory"));
}

const DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

/** Gives back what the umask took from PASSABLE. */
function letPass(path: string): void {
  withDirectory(path, (directory, found) => {
    if ((found.mode & PASSABLE) === PASSABLE) return;
    if (!isOurs(found)) throw exchanged(path);
    fchmodSync(directory, found.mode & 0o7777 | PASSABLE);
  });
}

/**
 * Gives a directory that was made here to its owner. Where the directory above belongs to somebody, he may have put a link
 * to another's mailbox in its place meanwhile: so what is given is looked at first, and is still as it was made. What is the
 * owner's was given to him by another delivery.
 */
export function giveDirectory(owner: Owner | undefined, path: string): void {
  if (!owner) return;
  withDirectory(path, (directory, found) => {
    if (isAsMade(found)) give(owner, (uid, gid) => fchownSync(directory, uid, gid));
    else if (!isOurs(found) && found.uid !== owner.uid) throw exchanged(path);
  });
}

/** Opens the directory itself, so that what is done is done to what was looked at. */
function withDirectory(path: string, use: (directory: number, found: Stats) => void): void {
  const directory = openSync(path, DIRECTORY);
  try {
    use(directory, fstatSync(directory));
  } finally {
    closeSync(directory);
  }
}

/** What others may enter is ours for good: it may lead to more than this mailbox. */
function isAsMade(found: Stats): boolean {
  return isOurs(found) && (found.mode & 0o777 & ~PRIVATE) === 0;
}

function isOurs({ uid }: Stats): boolean {
  return uid === process.getuid!();
}

function exchanged(path: string): Trouble {
  return new Trouble("make directory", path, new Error("Not the directory that was made"));
}
