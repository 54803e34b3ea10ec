/**
 * Files in the maildrop: what they are called, and how sendmail puts one there. A name is random, so that nobody who
 * cannot list the directory finds another user's mail; a file gets its final name when it is whole and on the disk.
 */

import { closeSync, fchmodSync, fsyncSync, openSync, writeSync } from "node:fs";
import { join } from "@std/path";
import { reason, StorageError } from "../errors.ts";

/** A finished submission. */
export const FILE_NAME = /^[0-9a-f]{32}$/;
/** One still being written. */
export const TEMPORARY_NAME = /^tmp\.[0-9a-f]{32}$/;

function randomName(): string {
  return crypto.getRandomValues(new Uint8Array(16)).toHex();
}

/** A submission being written; exactly one of `commit` and `abandon` ends it. Its methods throw StorageError. */
export class Drop {
  readonly name = randomName();
  #temporary: string;
  /** The open file, until it is closed. */
  #descriptor: number | undefined;

  /** `uid` is ours: the directory's owner, who is pickup, must be able to read what others leave. */
  constructor(readonly directory: string, uid: number | null) {
    this.#temporary = join(directory, `tmp.${this.name}`);
    storage(() => {
      const mode = Deno.lstatSync(directory).uid === uid ? 0o600 : 0o644;
      this.#descriptor = openSync(this.#temporary, "wx", mode);
      // Whatever our umask is. Not by name: the directory's owner may have put a link there, and we may be root.
      fchmodSync(this.#descriptor, mode);
    });
  }

  write(bytes: Uint8Array): void {
    storage(() => {
      for (let at = 0; at < bytes.length;) at += writeSync(this.#descriptor!, bytes.subarray(at));
    });
  }

  /** Gives the file its final name; on return it survives a crash. Answers the name. */
  commit(): string {
    storage(() => {
      fsyncSync(this.#descriptor!);
      Deno.renameSync(this.#temporary, join(this.directory, this.name));
      // Who may not read the directory cannot sync it; syncing the file again writes its new name too.
      if (!syncDirectory(this.directory)) fsyncSync(this.#descriptor!);
      this.#close();
    });
    return this.name;
  }

  abandon(): void {
    this.#close();
    // A commit may have failed after the renaming: what the caller believes lost must not be sent.
    for (const path of [this.#temporary, join(this.directory, this.name)]) {
      try {
        Deno.removeSync(path);
      } catch {
        // Not there; or pickup removes it when it is a day old.
      }
    }
  }

  /** Once: its number may be another file's by then. */
  #close(): void {
    const descriptor = this.#descriptor;
    this.#descriptor = undefined;
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

function syncDirectory(path: string): boolean {
  let fd: number | undefined;
  try {
    fd = openSync(path, "r");
    fsyncSync(fd);
    return true;
  } catch {
    return false;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

function storage<T>(act: () => T): T {
  try {
    return act();
  } catch (error) {
    throw new StorageError(`maildrop: ${reason(error)}`);
  }
}
