import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { closeSync, openSync } from "node:fs";
import fc from "fast-check";
import { StorageError } from "../errors.ts";
import { namesIn } from "../../tests/support/files.ts";
import { near } from "../../tests/support/hostile.ts";
import { Drop, FILE_NAME, TEMPORARY_NAME } from "./drop.ts";

function within(test: (directory: string) => void): void {
  const directory = Deno.makeTempDirSync();
  try {
    test(directory);
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

Deno.test("a drop has its final name only when it is committed", () =>
  within((directory) => {
    const drop = new Drop(directory, Deno.uid());
    drop.write(new TextEncoder().encode("x"));
    assertEquals(namesIn(directory), [`tmp.${drop.name}`]);
    assertEquals(drop.commit(), drop.name);
    assertEquals(namesIn(directory), [drop.name]);
    assertMatch(drop.name, FILE_NAME);
    assertEquals(Deno.readTextFileSync(`${directory}/${drop.name}`), "x");
  }));

Deno.test("an abandoned drop leaves nothing", () =>
  within((directory) => {
    const drop = new Drop(directory, Deno.uid());
    drop.write(new TextEncoder().encode("x"));
    drop.abandon();
    assertEquals(namesIn(directory), []);
  }));

Deno.test("a drop in our own directory is ours alone, in another's it is readable, whatever the umask", () =>
  within((directory) => {
    const umask = Deno.umask(0o077);
    try {
      const mode = (uid: number | null) => {
        const name = new Drop(directory, uid).commit();
        return Deno.lstatSync(`${directory}/${name}`).mode! & 0o777;
      };
      assertEquals(mode(Deno.uid()), 0o600);
      assertEquals(mode(Deno.uid()! + 1), 0o644);
    } finally {
      Deno.umask(umask);
    }
  }));

Deno.test("a drop changes no mode by name: the maildrop's owner may have put a link there", () =>
  within((directory) => {
    const secret = `${directory}/secret`, chmod = Deno.chmodSync;
    Deno.writeTextFileSync(secret, "", { mode: 0o600 });
    Deno.chmodSync = (path, mode) => {
      Deno.renameSync(path, `${directory}/aside`);
      Deno.symlinkSync(secret, path);
      chmod(path, mode);
    };
    try {
      new Drop(directory, Deno.uid()! + 1).abandon();
    } finally {
      Deno.chmodSync = chmod;
    }
    assertEquals(Deno.statSync(secret).mode! & 0o777, 0o600);
    assertEquals(namesIn(directory), ["secret"]);
  }));

Deno.test("a drop closes its file once, whoever has its number afterwards", () =>
  within((directory) => {
    const drop = new Drop(directory, Deno.uid());
    drop.commit();
    const other = openSync("/dev/null", "r");
    drop.abandon();
    closeSync(other);
  }));

Deno.test("a drop without a maildrop is a storage error", () => {
  assertThrows(() => new Drop("/nonexistent/maildrop", 0), StorageError, "maildrop: ");
});

Deno.test("a name that sendmail did not give is no submission's, whatever it looks like", () => {
  const name = near("0123456789abcdef".repeat(2), "a", "tmp.", "/", "..", "A", "\n");
  fc.assert(fc.property(name, (name) => {
    const plain = name.length === 32 &&
      [...name].every((char) => "0123456789abcdef".includes(char));
    assertEquals(FILE_NAME.test(name), plain);
    assertEquals(TEMPORARY_NAME.test(`tmp.${name}`), plain);
    assertEquals(TEMPORARY_NAME.test(name) && FILE_NAME.test(name), false);
  }));
  const given = "0123456789abcdef".repeat(2);
  for (
    const each of [`${given}\n`, `../${given}`, given.toUpperCase(), given.replace("a", "\u0430")]
  ) {
    assertEquals(FILE_NAME.test(each), false, each);
  }
});
