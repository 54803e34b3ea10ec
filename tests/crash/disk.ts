/** File systems that fail on demand: small ones, and one whose disk loses writes. Root only. */

/** Why these cannot be used here; undefined when they can. */
export function unusable(): string | undefined {
  if (Deno.uid() !== 0) return "only root can mount";
  try {
    run("mkfs.ext4", "-V");
    run("losetup", "--find");
  } catch (error) {
    return (error as Error).message;
  }
}

/** A tmpfs; `fill` takes its free space away. */
export class SmallDisk implements Disposable {
  #filler: string;

  constructor(readonly directory: string, megabytes: number) {
    Deno.mkdirSync(directory, { recursive: true });
    run("mount", "-t", "tmpfs", "-o", `size=${megabytes}m,mode=0755`, "postern-test", directory);
    this.#filler = `${directory}/filler`;
  }

  /** Leaves so many bytes free, in pages of 4 KiB. */
  fill(left = 0): void {
    this.empty();
    using file = Deno.openSync(this.#filler, { write: true, create: true });
    const free = Number(run("stat", "-f", "-c", "%a", this.directory)) * 4096;
    const page = new Uint8Array(4096);
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
    run("umount", "--lazy", this.directory);
  }
}

/** An ext4 on a loop device whose blocks are on a small disk: when that is full, writes end in EIO at the next sync. */
export class FailingDisk implements Disposable {
  #under: SmallDisk;
  #image: string;
  #device = "";

  constructor(readonly directory: string) {
    const under = `${directory}.under`;
    this.#under = new SmallDisk(under, 24);
    this.#image = `${under}/image`;
    run("truncate", "--size=256M", this.#image);
    run("mkfs.ext4", "-q", "-O", "^has_journal", "-E", "lazy_itable_init=1,nodiscard", this.#image);
    Deno.mkdirSync(directory, { recursive: true });
    this.mount();
  }

  mount(): void {
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
    const name = this.#device.slice(this.#device.lastIndexOf("/") + 1);
    Deno.writeTextFileSync(`/sys/fs/ext4/${name}/trigger_fs_error`, "1");
  }

  /** What an operator does then: check it, and mount it again. */
  repair(): void {
    this.#unmount();
    // 1 is "errors were corrected".
    run("sh", "-c", `e2fsck -fy ${this.#image} >/dev/null 2>&1 || test $? -eq 1`);
    this.mount();
  }

  [Symbol.dispose](): void {
    this.#unmount();
    this.#under[Symbol.dispose]();
  }

  #unmount(): void {
    run("umount", "--lazy", this.directory);
    run("losetup", "--detach", this.#device);
  }
}

function run(program: string, ...args: string[]): string {
  const { success, stdout, stderr } = new Deno.Command(program, { args }).outputSync();
  const text = new TextDecoder();
  if (!success) throw new Error(`${program}: ${text.decode(stderr).trim()}`);
  return text.decode(stdout).trim();
}
