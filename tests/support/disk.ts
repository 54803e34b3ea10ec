/**
 * File systems that fail on demand: small ones, and one whose disk loses writes. Root mounts them; an ordinary user gets
 * the small ones in a user namespace (`user_namespace.ts`).
 */

import { isThere } from "../../policies/bwrap.ts";
import { diskOf } from "../../shared/queue/reserve.ts";
import { until } from "./waiting.ts";

/** In the environment: directories that are small disks already, with colons between them. */
export const MOUNTED = "POSTERN_SMALL_DISKS";
/** Room enough for a queue and a few messages. */
export const SMALL_DISK_SIZE = "16m";
export const PAGE_BYTES = 4096;
const mounted = (Deno.env.get(MOUNTED) ?? "").split(":").filter(Boolean);

/** Small disks can be had: whoever runs this may mount, or finds them mounted. */
export const hasSmallDisks = Deno.uid() === 0 || mounted.length > 0;

/** Why there is no disk here that loses writes; undefined when there is. */
export function noFailingDisk(): string | undefined {
  if (Deno.uid() !== 0) return "only root can use loop devices";
  try {
    run("mkfs.ext4", "-V");
    run("losetup", "--find");
  } catch (error) {
    return (error as Error).message;
  }
}

/** A tmpfs; `fill` takes its free space away. */
export class SmallDisk implements Disposable {
  readonly directory: string;
  #filler: string;
  #ours = mounted.length === 0;

  constructor(size = SMALL_DISK_SIZE) {
    this.directory = mounted.shift() ?? mountPoint();
    if (this.#ours) {
      run("mount", "-t", "tmpfs", "-o", `size=${size},mode=0755`, "postern-test", this.directory);
    }
    this.#filler = `${this.directory}/filler`;
  }

  get free(): number {
    return diskOf(this.directory).free;
  }

  /** Leaves no more than so many bytes free, in whole pages. */
  fill(left = 0): void {
    using file = Deno.openSync(this.#filler, { append: true, create: true });
    const page = new Uint8Array(PAGE_BYTES);
    const { free } = this;
    for (let size = 0; size + left < free; size += page.length) {
      try {
        file.writeSync(page);
      } catch {
        return;
      }
    }
  }

  empty(): void {
    try {
      Deno.removeSync(this.#filler);
    } catch {
      // Not filled.
    }
  }

  [Symbol.dispose](): void {
    // Those that were here before end with their namespace.
    if (this.#ours) unmount(this.directory);
  }
}

/** An ext4 on a loop device whose blocks are on a small disk: when that is full, writes end in EIO at the next sync. */
export class FailingDisk implements Disposable {
  readonly directory = mountPoint();
  #under = new SmallDisk("24m");
  #image = `${this.#under.directory}/image`;
  #device = "";

  /** What the kernel shows of the file system; gone when the last who had it open, in whatever mount namespace, is. */
  get #known(): string {
    return `/sys/fs/ext4/${this.#device.slice(this.#device.lastIndexOf("/") + 1)}`;
  }

  constructor() {
    run("truncate", "--size=256M", this.#image);
    run("mkfs.ext4", "-q", "-O", "^has_journal", "-E", "lazy_itable_init=1,nodiscard", this.#image);
    this.#mount();
  }

  #mount(): void {
    this.#device = run("losetup", "--find", "--show", this.#image);
    run("mount", "-o", "errors=continue", this.#device, this.directory);
  }

  /** From now on blocks that were never written cannot be written. */
  fail(): void {
    this.#under.fill();
  }

  recover(): void {
    this.#under.empty();
  }

  /** From now on nothing can be written, as when the kernel finds the file system damaged. */
  readOnly(): void {
    run("mount", "-o", "remount,errors=remount-ro", this.directory);
    Deno.writeTextFileSync(`${this.#known}/trigger_fs_error`, "1");
  }

  /** What an operator does then: check it, and mount it again. */
  async repair(): Promise<void> {
    run("umount", "--lazy", this.directory);
    // A killed role may still be ending: what the kernel writes when it has would damage what is checked before.
    await until(() => !isThere(this.#known));
    // 1 is "errors were corrected".
    run("sh", "-c", `e2fsck -fy ${this.#image} >/dev/null 2>&1 || test $? -eq 1`);
    run("losetup", "--detach", this.#device);
    this.#mount();
  }

  [Symbol.dispose](): void {
    unmount(this.directory);
    run("losetup", "--detach", this.#device);
    this.#under[Symbol.dispose]();
  }
}

/** What a directory looks like to those who may not write: a mount of it. Only root can make one. */
export class ReadOnlyView implements Disposable {
  readonly directory = mountPoint();

  constructor(of: string) {
    run("mount", "--bind", of, this.directory);
    run("mount", "-o", "remount,bind,ro", this.directory);
  }

  [Symbol.dispose](): void {
    unmount(this.directory);
  }
}

function mountPoint(): string {
  const directory = Deno.makeTempDirSync({ prefix: "postern-disk-" });
  Deno.chmodSync(directory, 0o755);
  return directory;
}

/** Takes a disk and its mount point away. */
function unmount(directory: string): void {
  run("umount", "--lazy", directory);
  Deno.removeSync(directory);
}

/** A program's output, when it succeeds. */
function run(program: string, ...args: string[]): string {
  const { success, stdout, stderr } = new Deno.Command(program, { args }).outputSync();
  const text = new TextDecoder();
  if (!success) throw new Error(`${program}: ${text.decode(stderr).trim()}`);
  return text.decode(stdout).trim();
}
