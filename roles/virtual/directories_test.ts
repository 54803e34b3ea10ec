import { assertEquals, assertRejects } from "@std/assert";
import { Directories } from "./directories.ts";
import { SyncRounds } from "./sync_rounds.ts";
import { Trouble } from "./trouble.ts";

const OWNER = { uid: 12345, gid: 12346 };
const PARTS = ["tmp", "new", "cur"];
/** Only root has anything to give away. */
const ignore = Deno.uid() !== 0;

/** The Maildir d/a on a disk whose next sync of `failing` fails. */
class Disk implements Disposable {
  base = Deno.makeTempDirSync();
  maildir = `${this.base}/d/a`;
  failing: string | undefined;
  synced: string[] = [];

  /** As a process finds it that has just started. */
  directories(): Directories {
    const disk = { file: () => Promise.resolve(), directory: (path: string) => this.#sync(path) };
    return new Directories(this.base, new SyncRounds(disk));
  }

  #sync(path: string): Promise<void> {
    this.synced.push(path);
    if (path !== this.failing) return Promise.resolve();
    this.failing = undefined;
    return Promise.reject(Object.assign(new Error("EIO: i/o error, fsync"), { code: "EIO" }));
  }

  ensure() {
    return this.directories().ensure(["d", "a"], OWNER);
  }

  /** As a process leaves it that is killed before it gives it away. */
  leave(path: string): void {
    Deno.mkdirSync(path, { recursive: true, mode: 0o700 });
  }

  /** Owner and mode of the Maildir and its parts. */
  found(): Record<string, string> {
    const show = (path: string) => {
      const { uid, gid, mode } = Deno.lstatSync(path);
      return `${uid}:${gid} ${(mode! & 0o777).toString(8)}`;
    };
    return Object.fromEntries(
      ["", ...PARTS].map((part) => [part, show(`${this.maildir}/${part}`)]),
    );
  }

  [Symbol.dispose]() {
    Deno.removeSync(this.base, { recursive: true });
  }
}

const GIVEN = Object.fromEntries(["", ...PARTS].map((part) => [part, "12345:12346 700"]));

for (const left of [[""], ["", "tmp"], ["", ...PARTS]]) {
  Deno.test({
    name: `ensure() gives away a Maildir that was left with ${left.length - 1} parts`,
    ignore,
    async fn() {
      using disk = new Disk();
      for (const part of left) disk.leave(`${disk.maildir}/${part}`);
      await disk.ensure();
      assertEquals(disk.found(), GIVEN);
      assertEquals(disk.synced, [`${disk.base}/d`, disk.maildir]);
    },
  });
}

for (const part of PARTS) {
  Deno.test({
    name: `ensure() gives away ${part} that was left in its owner's Maildir`,
    ignore,
    async fn() {
      using disk = new Disk();
      await disk.ensure();
      Deno.removeSync(`${disk.maildir}/${part}`);
      disk.leave(`${disk.maildir}/${part}`);
      await disk.ensure();
      assertEquals(disk.found(), GIVEN);
    },
  });
}

for (const path of ["", "/d", "/d/a"]) {
  Deno.test({
    name: `ensure() gives everything away after a sync of base${path} that failed`,
    ignore,
    async fn() {
      using disk = new Disk();
      disk.failing = disk.base + path;
      await assertRejects(() => disk.ensure(), Error, "EIO");
      await disk.ensure();
      assertEquals(disk.found(), GIVEN);
    },
  });
}

Deno.test({
  name: "ensure() gives away once what two processes make at the same time",
  ignore,
  async fn() {
    for (let round = 0; round < 20; round++) {
      using disk = new Disk();
      await Promise.all(Array.from({ length: 4 }, () => disk.ensure()));
      assertEquals(disk.found(), GIVEN);
    }
  },
});

Deno.test({
  name: "ensure() keeps a Maildir that others pass through, and gives away its parts",
  ignore,
  async fn() {
    using disk = new Disk();
    await disk.directories().ensure(["d", "a", "deeper"], OWNER);
    await disk.ensure();
    assertEquals(disk.found(), { ...GIVEN, "": "0:0 711" });
  },
});

Deno.test({
  name: "ensure() gives away nothing of another",
  ignore,
  async fn() {
    using disk = new Disk();
    disk.leave(`${disk.maildir}/new`);
    for (const path of [disk.maildir, `${disk.maildir}/new`]) Deno.chownSync(path, 777, 777);
    await disk.ensure();
    assertEquals(disk.found(), { ...GIVEN, "": "777:777 700", new: "777:777 700" });
  },
});

for (const part of ["", "/new"]) {
  Deno.test({
    name: `ensure() gives away nothing that a link in the place of d/a${part} leads to`,
    ignore,
    async fn() {
      using disk = new Disk();
      const outside = `${disk.base}/outside`;
      disk.leave(outside);
      if (part) disk.leave(disk.maildir);
      else disk.leave(`${disk.base}/d`);
      Deno.symlinkSync(outside, disk.maildir + part);
      await assertRejects(() => disk.ensure(), Trouble, "Not a directory");
      assertEquals(Deno.statSync(outside).uid, 0);
    },
  });
}

for (const umask of [0o022, 0o027, 0o077]) {
  Deno.test(`ensure() makes directories that can be passed through with umask ${umask.toString(8)}`, async () => {
    using disk = new Disk();
    const before = Deno.umask(umask);
    try {
      await disk.directories().ensure(["d", "e", "a"], undefined);
    } finally {
      Deno.umask(before);
    }
    const modes = ["d", "d/e", "d/e/a", "d/e/a/new"]
      .map((path) => Deno.statSync(`${disk.base}/${path}`).mode! & 0o777);
    assertEquals(modes, [0o711, 0o711, 0o700, 0o700]);
  });
}
