import { assertEquals, assertMatch } from "@std/assert";
import { fileOf } from "../../tests/support/maildrop.ts";
import { type Fate, GARBAGE_MS } from "./maildrop.ts";
import { elsewhere, look, NAME, names, submission, within } from "./test_maildrop.ts";

/** Each kind of garbage: how it comes there, what the log says, whether a day later it is gone. */
const GARBAGE: [string, (path: string) => void, RegExp, "stays" | "goes"][] = [
  [
    "a symbolic link",
    (path) => {
      Deno.symlinkSync("/etc/passwd", path);
    },
    /is a symbolic link$/,
    "stays",
  ],
  [
    "a symbolic link to a submission",
    (path) => {
      const outside = elsewhere();
      Deno.symlinkSync(`${outside}/${submission(outside)}`, path);
    },
    /is a symbolic link$/,
    "stays",
  ],
  [
    "a hard link",
    (path) => {
      const outside = elsewhere();
      Deno.linkSync(`${outside}/${submission(outside)}`, path);
    },
    /has 2 links$/,
    "stays",
  ],
  [
    "a pipe",
    (path) => {
      new Deno.Command("mkfifo", { args: [path] }).outputSync();
    },
    /is a pipe$/,
    "stays",
  ],
  [
    "a socket",
    (path) => {
      Deno.listen({ transport: "unix", path }).close();
      // Deno takes the name away on closing: bind it once more in a process that leaves it.
      const code = "import socket,sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])";
      new Deno.Command("python3", { args: ["-c", code, path] }).outputSync();
    },
    /is not a regular file$/,
    "stays",
  ],
  [
    "a directory",
    (path) => {
      Deno.mkdirSync(path);
      submission(path);
    },
    /is a directory$/,
    "stays",
  ],
  [
    "an empty file",
    (path) => {
      Deno.writeTextFileSync(path, "");
    },
    /not made by sendmail$/,
    "goes",
  ],
  [
    "a foreign file",
    (path) => {
      Deno.writeTextFileSync(path, "Subject: x\n\nx\n");
    },
    /not made by sendmail$/,
    "goes",
  ],
  [
    "a large foreign file",
    (path) => {
      Deno.writeFileSync(path, new Uint8Array(10_000_000));
    },
    /not made by sendmail$/,
    "goes",
  ],
  [
    "a file of 8 TB that takes no room",
    (path) => {
      const file = Deno.openSync(path, { write: true, create: true });
      file.writeSync(fileOf("").subarray(0, -72));
      file.truncateSync(8 * 2 ** 40);
      file.seekSync(0, Deno.SeekMode.End);
      file.writeSync(new TextEncoder().encode(`sha256 ${"0".repeat(64)}\n`));
      file.close();
    },
    /larger than 2 times message_size_limit$/,
    "stays",
  ],
  [
    "a half-written file",
    (path) => {
      const outside = elsewhere();
      const whole = Deno.readFileSync(`${outside}/${submission(outside)}`);
      Deno.writeFileSync(path, whole.subarray(0, whole.length - 10));
    },
    /not complete$/,
    "goes",
  ],
  [
    "a submission with one byte changed",
    (path) => {
      const outside = elsewhere();
      const whole = Deno.readFileSync(`${outside}/${submission(outside)}`);
      whole[whole.length - 88]! ^= 1; // In "Subject".
      Deno.writeFileSync(path, whole);
    },
    /checksum does not match$/,
    "goes",
  ],
];

for (const [what, make, why, end] of GARBAGE) {
  Deno.test(`${what} is left with one log line, and ${end} after a day`, () =>
    within(async (bench) => {
      make(`${bench.directory}/${NAME}`);
      await look(bench);
      await look(bench);
      assertEquals(bench.log.length, 1);
      assertMatch(bench.log[0]!, /^warning: maildrop\/[0-9a-f]{32}: uid=[0-9]+: no submission: /);
      assertMatch(bench.log[0]!, why);
      assertEquals(names(bench), [NAME]);
      bench.ahead = GARBAGE_MS + 10_000;
      await look(bench);
      assertEquals(names(bench), end === "stays" ? [NAME] : []);
      assertEquals(
        bench.log.slice(1),
        end === "stays"
          ? []
          : ["warning: maildrop: removed 1 files that were no submissions for a day"],
      );
      assertEquals(bench.found, []);
    }));
}

Deno.test("a foreign file that is a day old when it is first seen is removed with one log line", () =>
  within(async (bench) => {
    Deno.writeTextFileSync(`${bench.directory}/${NAME}`, "x");
    bench.ahead = GARBAGE_MS + 10_000;
    await look(bench);
    await look(bench);
    assertEquals(names(bench), []);
    assertEquals(bench.log.length, 1);
  }));

Deno.test("a file with a name that sendmail does not give is left, and never read", () =>
  within(async (bench) => {
    Deno.renameSync(
      `${bench.directory}/${submission(bench.directory)}`,
      `${bench.directory}/mail.txt`,
    );
    await look(bench);
    bench.ahead = GARBAGE_MS + 10_000;
    await look(bench);
    assertEquals(names(bench), ["mail.txt"]);
    assertEquals(bench.found, []);
    assertEquals(bench.log.length, 1);
  }));

Deno.test("a file that sendmail is still writing is left without a word, and removed after a day", () =>
  within(async (bench) => {
    Deno.writeTextFileSync(`${bench.directory}/tmp.${NAME}`, "postern");
    await look(bench);
    assertEquals(names(bench), [`tmp.${NAME}`]);
    assertEquals(bench.log, []);
    bench.ahead = GARBAGE_MS + 10_000;
    await look(bench);
    assertEquals(names(bench), []);
    assertEquals(bench.log.length, 1);
  }));

Deno.test("garbage that becomes a submission is taken", () =>
  within(async (bench) => {
    Deno.writeTextFileSync(`${bench.directory}/${NAME}`, "x");
    await look(bench);
    const outside = elsewhere();
    Deno.renameSync(`${outside}/${submission(outside)}`, `${bench.directory}/${NAME}`);
    await look(bench);
    assertEquals(bench.found.length, 1);
    assertEquals(names(bench), []);
  }));

Deno.test("a file that changes while it is submitted is garbage, not mail", () =>
  within(async (bench) => {
    const name = submission(bench.directory);
    bench.fate = async ({ submission }): Promise<Fate> => {
      const file = Deno.openSync(`${bench.directory}/${name}`, { write: true });
      file.seekSync(-88, Deno.SeekMode.End);
      file.writeSync(new TextEncoder().encode("x"));
      file.close();
      for await (const _ of submission.content());
      return "done";
    };
    await look(bench);
    assertEquals(names(bench), [name]);
    assertMatch(bench.log[0]!, /changed while it was read$/);
  }));
