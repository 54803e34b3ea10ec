/**
 * The directories of a Maildir: made where they are missing, and looked at one by one, because a symbolic link in their
 * place would lead out of the mailboxes (the runtime checks the name of a file, not where links lead).
 */

import { closeSync, constants, fchownSync, fstatSync, openSync } from "node:fs";
import { lstat, mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import process from "node:process";
import type { DirectorySync } from "./directory_sync.ts";
import { give, type Owner } from "./owner.ts";
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
    readonly syncs: DirectorySync,
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
    let at = this.base, made = false;
    for (const [i, component] of components.entries()) {
      at += `/${component}`;
      made = await this.#directory(at, i === components.length - 1 ? PRIVATE : PASSABLE);
    }
    const parts = await Promise.allSettled(
      ["tmp", "new", "cur"].map((part) => this.#part(`${path}/${part}`, owner)),
    );
    const failed = parts.find((part) => part.status === "rejected");
    if (failed) throw failed.reason;
    // The Maildir is given away last: until then nobody else can exchange what is in it.
    if (parts.some((part) => part.status === "fulfilled" && part.value)) {
      await this.syncs.sync(path);
    }
    if (made) giveDirectory(owner, path);
    return this.#remember({ path });
  }

  /** Looks again next time. */
  forget(path: string): void {
    this.#known.delete(path);
  }

  async #part(path: string, owner: Owner | undefined): Promise<boolean> {
    const made = await this.#directory(path, PRIVATE, false);
    if (made) giveDirectory(owner, path);
    return made;
  }

  /** True when the directory had to be made; `durable` also syncs the name of it. */
  async #directory(path: string, mode: number, durable = true): Promise<boolean> {
    if (await this.#isDirectory(path)) return false;
    try {
      await mkdir(path, mode);
    } catch (error) {
      // Another delivery was faster: what it made is looked at like anything else.
      if (codeOf(error) === "EEXIST" && await this.#isDirectory(path)) return false;
      throw new Trouble("create directory", path, error);
    }
    if (durable) await this.syncs.sync(dirname(path));
    return true;
  }

  /** False when there is nothing; throws Trouble when there is something else. */
  async #isDirectory(path: string): Promise<boolean> {
    let found;
    try {
      found = await lstat(path);
    } catch (error) {
      if (codeOf(error) === "ENOENT") return false;
      throw new Trouble("look at directory", path, error);
    }
    if (found.isDirectory()) return true;
    throw new Trouble("open directory", path, new Error("Not a directory"));
  }

  #remember(maildir: Maildir): Maildir {
    if (this.#known.size >= MAX_KNOWN) this.#known.clear();
    this.#known.set(maildir.path, { maildir, until: this.clock() + FRESH_MS });
    return maildir;
  }
}

const DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

/**
 * Gives a directory that was made here to its owner. Where the directory above belongs to somebody, he may have put a link
 * to another's mailbox in its place meanwhile: so what is given is looked at first, and is still ours.
 */
export function giveDirectory(owner: Owner | undefined, path: string): void {
  if (!owner) return;
  const directory = openSync(path, DIRECTORY);
  try {
    if (fstatSync(directory).uid !== process.getuid!()) {
      throw new Trouble("make directory", path, new Error("Not the directory that was made"));
    }
    give(owner, (uid, gid) => fchownSync(directory, uid, gid));
  } finally {
    closeSync(directory);
  }
}
