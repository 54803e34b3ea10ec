import { assertEquals, assertRejects } from "@std/assert";
import { Directories } from "./directories.ts";
import { SyncRounds } from "./sync_rounds.ts";
import { MaildirFile } from "./maildir.ts";
import { Trouble } from "./trouble.ts";

/** A Maildir on a disk that cannot sync `new/` while `broken`. */
class Disk implements Disposable {
  base = Deno.makeTempDirSync();
  broken = true;
  syncs = new SyncRounds({
    file: () => Promise.resolve(),
    directory: (path) =>
      this.broken && path.endsWith("/new")
        ? Promise.reject(Object.assign(new Error("EIO: i/o error, fsync"), { code: "EIO" }))
        : Promise.resolve(),
  });
  around = {
    directories: new Directories(this.base, this.syncs),
    syncs: this.syncs,
    hostname: "mx.example.com",
    limit: Infinity,
    takesLess: false,
  };

  async file(): Promise<MaildirFile> {
    const file = await MaildirFile.create(this.around, ["anna"], undefined, new Uint8Array(0));
    file.write(new TextEncoder().encode("x\n"));
    return file;
  }

  names(part: "tmp" | "new"): string[] {
    return [...Deno.readDirSync(`${this.base}/anna/${part}`)].map(({ name }) => name);
  }

  [Symbol.dispose]() {
    Deno.removeSync(this.base, { recursive: true });
  }
}

Deno.test("abort() leaves no copy in new/ for each try whose directory could not be synced", async () => {
  using disk = new Disk();
  for (let attempt = 0; attempt < 3; attempt++) {
    const file = await disk.file();
    await assertRejects(() => file.finish(), Trouble, "i/o error");
    assertEquals(disk.names("new"), [file.name]);
    file.abort();
    assertEquals([disk.names("tmp"), disk.names("new")], [[], []]);
  }
  disk.broken = false;
  const file = await disk.file();
  await file.finish();
  assertEquals([disk.names("tmp"), disk.names("new")], [[], [file.name]]);
});

Deno.test("abort() does nothing about a message that a reader has taken already", async () => {
  using disk = new Disk();
  const file = await disk.file();
  await assertRejects(() => file.finish(), Trouble);
  const { name } = file;
  Deno.renameSync(`${disk.base}/anna/new/${name}`, `${disk.base}/anna/cur/${name}:2,S`);
  file.abort();
  assertEquals([...Deno.readDirSync(`${disk.base}/anna/cur`)].length, 1);
});
