/**
 * A message on its way into a Maildir. It is written and synced in `tmp/`, renamed into `new/`, and that directory is
 * synced, too: only then is it delivered. A crash before leaves a file in `tmp/` that readers remove after 36 hours.
 *
 * Only the syncs wait for the disk and are asynchronous; the calls between them touch the page cache, and handing each of
 * them to another thread would cost more than the call.
 */

import {
  closeSync,
  fchownSync,
  fstatSync,
  openSync,
  renameSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { concat } from "../../shared/bytes.ts";
import { stopAt } from "../../shared/stop_points.ts";
import type { Directories, Maildir } from "./directories.ts";
import { give, type Owner } from "./owner.ts";
import type { SyncRounds } from "./sync_rounds.ts";
import { codeOf, Trouble } from "./trouble.ts";

/** Tells files of one process from those of all others that write to the same Maildir. */
const PROCESS = [...crypto.getRandomValues(new Uint8Array(8))]
  .map((byte) => byte.toString(16).padStart(2, "0")).join("");
let count = 0;

/** What all Maildirs have in common. */
export interface Surroundings {
  readonly directories: Directories;
  readonly syncs: SyncRounds;
  /** In a form that may stand in a file name. */
  readonly hostname: string;
  /** Bytes; Infinity is no limit. */
  readonly limit: number;
  /** That is less than the largest message that is let in. */
  readonly takesLess: boolean;
}

/** A host name as part of a Maildir file name. */
export function fileHostname(hostname: string): string {
  return hostname.replace(/[^A-Za-z0-9.-]/g, (char) => {
    const code = char.charCodeAt(0) & 0xff;
    return `\\${code.toString(8).padStart(3, "0")}`;
  });
}

export class MaildirFile {
  #written = 0;
  #open = true;
  #part: "tmp" | "new" = "tmp";
  /** As it was made: by whom, and as what. Known only where an owner might exchange directories. */
  #maker = -1;
  #inode = -1;

  constructor(
    readonly around: Surroundings,
    readonly maildir: Maildir,
    /** Unique in `tmp/` and in `new/`. */
    readonly name: string,
    readonly descriptor: number,
    readonly owner: Owner | undefined,
    /** Header lines that come first, LF text. */
    private header: Uint8Array | undefined,
  ) {}

  get path(): string {
    return `${this.maildir.path}/${this.#part}/${this.name}`;
  }

  /** Makes the file in `tmp/`, and the Maildir where there is none. Throws Trouble. */
  static async create(
    around: Surroundings,
    components: readonly string[],
    owner: Owner | undefined,
    header: Uint8Array,
  ): Promise<MaildirFile> {
    const name = `${Math.floor(Date.now() / 1000)}.R${PROCESS}Q${count++}.${around.hostname}`;
    for (let again = false;; again = true) {
      const maildir = await around.directories.ensure(components, owner);
      const path = `${maildir.path}/tmp/${name}`;
      try {
        const descriptor = openSync(path, "wx", 0o600);
        const file = new MaildirFile(around, maildir, name, descriptor, owner, header);
        file.#checkMade();
        return file;
      } catch (error) {
        // It was there a moment ago: somebody removed the Maildir.
        around.directories.forget(maildir.path);
        if (again || codeOf(error) !== "ENOENT") {
          throw new Trouble("create maildir file", path, error);
        }
      }
    }
  }

  /** Appends LF text. Throws Trouble. */
  write(text: Uint8Array): void {
    const bytes = this.header ? concat([this.header, text]) : text;
    this.header = undefined;
    this.#written += bytes.length;
    const { limit, takesLess } = this.around;
    try {
      if (this.#written > limit) throw takesLess ? new TooSmall() : new TooLarge();
      for (let at = 0; at < bytes.length;) {
        at += writeSync(this.descriptor, bytes, at, bytes.length - at);
      }
    } catch (error) {
      throw new Trouble("write maildir file", this.path, error);
    }
  }

  /** Makes it durable and visible. Throws Trouble; then the file may be there all the same. */
  async finish(): Promise<void> {
    if (this.header) this.write(new Uint8Array(0));
    const into = `${this.maildir.path}/new`;
    try {
      this.#give();
      stopAt?.("virtual.written");
      await this.around.syncs.file(this.descriptor);
      stopAt?.("virtual.synced");
      this.#close();
      this.#rename(into);
      await this.around.syncs.directory(into);
      stopAt?.("virtual.renamed");
    } catch (error) {
      throw new Trouble("complete maildir file", this.path, error);
    }
  }

  /** Removes the file, also from `new/`: the message is tried again, and would be there once for each try. */
  abort(): void {
    this.around.directories.forget(this.maildir.path);
    try {
      this.#close();
      unlinkSync(this.path);
    } catch {
      // A reader took it, or the disk fails: to have the message twice is better than not at all.
    }
  }

  /**
   * An owner from a table may put a link in the place of a part of its Maildir at any moment, also after that was looked
   * at: what is made by name is looked at again before anything is written.
   */
  #checkMade(): void {
    if (!this.owner) return;
    const { uid, ino } = fstatSync(this.descriptor);
    this.#maker = uid;
    this.#inode = ino;
    try {
      this.#checkPlace("tmp");
    } catch (error) {
      this.abort();
      throw error;
    }
  }

  /** Into `new/`, and nowhere else: looked at before, and after, since it may have been exchanged in between. */
  #rename(into: string): void {
    if (this.owner) this.#checkOwned(into);
    renameSync(this.path, `${into}/${this.name}`);
    this.#part = "new";
    if (this.owner) this.#checkPlace("new");
  }

  /** Throws when this file is not in that part of its Maildir. */
  #checkPlace(part: "tmp" | "new"): void {
    const path = `${this.maildir.path}/${part}`;
    this.#checkOwned(path);
    if (Deno.lstatSync(`${path}/${this.name}`).ino !== this.#inode) throw new Exchanged();
  }

  /** Throws for what is no directory, or belongs to somebody else: so no link on the way to it leads to others. */
  #checkOwned(path: string): void {
    const found = Deno.lstatSync(path);
    const owned = found.uid === this.owner!.uid || found.uid === this.#maker;
    if (!found.isDirectory || !owned) throw new Exchanged();
  }

  #close(): void {
    if (!this.#open) return;
    this.#open = false;
    closeSync(this.descriptor);
  }

  /** Asks the system only until a file of this Maildir was seen to come out as its owner's by itself. */
  #give(): void {
    const { owner, maildir } = this;
    if (!owner || maildir.gives === `${owner.uid}:${owner.gid}`) return;
    const { uid, gid } = fstatSync(this.descriptor);
    if (uid === owner.uid && gid === owner.gid) maildir.gives = `${uid}:${gid}`;
    else give(owner, (uid, gid) => fchownSync(this.descriptor, uid, gid));
  }
}

/** Something else is in a directory's place. */
class Exchanged extends Error {
  constructor() {
    super("Not a directory of the mailbox's owner");
  }
}

/** As if the system had a limit for the file. */
class TooLarge extends Error {
  readonly code = "EFBIG";
  constructor() {
    super("File too large");
  }
}

/** Its sender was told that it is not too large: that our limits contradict each other is our trouble, and bounces no mail. */
class TooSmall extends Error {
  constructor() {
    super("virtual_mailbox_limit is smaller than message_size_limit");
  }
}
