import { assert, assertEquals, assertMatch } from "@std/assert";
import { setSink } from "../../shared/log/log.ts";
import { namesIn } from "../../tests/support/files.ts";
import { fileOf, submit } from "../../tests/support/maildrop.ts";
import { until } from "../../tests/support/waiting.ts";
import { type Fate, type Found, GARBAGE_MS, Maildrop } from "./maildrop.ts";

/** A maildrop in a temporary directory, and what happened there. */
interface Bench {
  readonly directory: string;
  readonly maildrop: Maildrop;
  readonly log: string[];
  readonly found: Found[];
  /** What submissions meet. */
  fate: (found: Found) => Promise<Fate> | Fate;
  /** Milliseconds that have passed for the maildrop beside those that did. */
  ahead: number;
  /** Milliseconds by which somebody has set the clock. */
  set: number;
}

/** The message_size_limit of these tests. */
const LIMIT = 10_240_000;

/** Directories that are not the maildrop, removed after the test. */
const others: string[] = [];

function elsewhere(): string {
  const directory = Deno.makeTempDirSync();
  others.push(directory);
  return directory;
}

async function within(test: (bench: Bench) => Promise<void>): Promise<void> {
  const directory = Deno.makeTempDirSync();
  const log: string[] = [];
  const found: Found[] = [];
  setSink((severity, text) => log.push(`${severity}: ${text}`));
  const bench: Bench = {
    directory,
    log,
    found,
    ahead: 0,
    set: 0,
    fate: () => "done",
    maildrop: new Maildrop({
      directory,
      messageSizeLimit: LIMIT,
      now: () => Date.now() + bench.ahead + bench.set,
      steady: () => performance.now() + bench.ahead,
      submit: async (each) => {
        found.push(each);
        return await bench.fate(each);
      },
    }),
  };
  try {
    await test(bench);
  } finally {
    await bench.maildrop.stop();
    for (const each of [directory, ...others.splice(0)]) Deno.removeSync(each, { recursive: true });
  }
}

/** One look at everything, to the end of all that it began. */
async function look({ maildrop }: Bench): Promise<void> {
  await maildrop.scan();
  await until(() => !maildrop.busy);
}

function submission(directory: string, recipient = "you@example.com"): string {
  return submit(directory, { sender: "me", recipients: [recipient] }, "Subject: x\r\n\r\nx\r\n");
}

const names = ({ directory }: Bench) => namesIn(directory).sort();

const NAME = "0123456789abcdef".repeat(2);

Deno.test("a submission is handed on with its owner, and its file removed", () =>
  within(async (bench) => {
    submission(bench.directory);
    await look(bench);
    assertEquals(bench.found.map(({ uid }) => uid), [Deno.uid()!]);
    assertEquals(bench.found[0]!.submission.envelope.recipients, ["you@example.com"]);
    assertEquals(names(bench), []);
    assertEquals(bench.log, []);
  }));

Deno.test("wake() with a name takes that file without a scan", () =>
  within(async (bench) => {
    submission(bench.directory, "other@example.com");
    await bench.maildrop.wake(submission(bench.directory, "named@example.com"));
    await until(() => !bench.maildrop.busy);
    assertEquals(bench.found.map(({ submission }) => submission.envelope.recipients[0]), [
      "named@example.com",
    ]);
  }));

Deno.test("wake() with a path instead of a name looks at the maildrop only", () =>
  within(async (bench) => {
    submission(bench.directory);
    await bench.maildrop.wake("../../etc/passwd");
    await until(() => !bench.maildrop.busy);
    assertEquals(bench.found.length, 1);
    assertEquals(bench.log, []);
  }));

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

Deno.test("what cannot be submitted now is tried again, with growing pauses", () =>
  within(async (bench) => {
    bench.fate = () => "later";
    const name = submission(bench.directory);
    const tries: number[] = [];
    for (let second = 0; second < 100; second += 5) {
      bench.ahead = second * 1000;
      await look(bench);
      if (bench.found.length > tries.length) tries.push(second);
    }
    assertEquals(tries, [0, 10, 30, 70]);
    assertEquals(names(bench), [name]);
    bench.fate = () => "done";
    bench.ahead = 1_000_000;
    await look(bench);
    assertEquals(names(bench), []);
  }));

for (const [how, set] of [["forward", 86_400_000], ["back", -86_400_000]] as const) {
  Deno.test(`a clock that is set ${how} changes no pause`, () =>
    within(async (bench) => {
      bench.fate = () => "later";
      submission(bench.directory);
      await look(bench);
      bench.set = set;
      await look(bench);
      assertEquals(bench.found.length, 1);
      bench.ahead = 10_000;
      await look(bench);
      assertEquals(bench.found.length, 2);
    }));
}

Deno.test("while nothing can be submitted, one attempt stands for all files", () =>
  within(async (bench) => {
    bench.fate = () => "unavailable";
    for (let file = 0; file < 200; file++) submission(bench.directory);
    await look(bench);
    const first = bench.found.length;
    assert(first >= 1 && first <= 16, `${first} attempts`);
    await look(bench);
    assertEquals(bench.found.length, first);
    bench.fate = () => "done";
    bench.ahead = 2000;
    await look(bench);
    await look(bench);
    assertEquals(names(bench), []);
  }));

Deno.test("a submission above message_size_limit is read, so that its sender can be told", () =>
  within(async (bench) => {
    submit(bench.directory, { sender: "me", recipients: ["you@example.com"] }, line(LIMIT + 1));
    await look(bench);
    assertEquals(bench.found.map(({ submission }) => submission.size > LIMIT), [true]);
  }));

function line(bytes: number): string {
  return "x".repeat(bytes) + "\r\n";
}

Deno.test({
  name: "a user whose submissions take for ever leaves room for others",
  ignore: Deno.uid() !== 0,
  fn: () =>
    within(async (bench) => {
      const slow = Promise.withResolvers<Fate>();
      bench.fate = ({ uid }) => uid === 1000 ? slow.promise : "done";
      for (let file = 0; file < 100; file++) {
        Deno.chownSync(`${bench.directory}/${submission(bench.directory)}`, 1000, 1000);
      }
      try {
        await bench.maildrop.scan();
        submission(bench.directory);
        await bench.maildrop.scan();
        await until(() => bench.found.some(({ uid }) => uid === 0));
        assertEquals(bench.found.filter(({ uid }) => uid === 1000).length, 16);
      } finally {
        slow.resolve("done");
        await until(() => !bench.maildrop.busy);
      }
    }),
});

Deno.test("a submission does not wait for a maildrop full of garbage to be read", () =>
  within(async (bench) => {
    for (let file = 0; file < 10_000; file++) {
      Deno.writeTextFileSync(`${bench.directory}/${file.toString(16).padStart(32, "0")}`, "");
    }
    let scanned = false;
    const scan = bench.maildrop.scan().then(() => (scanned = true));
    await new Promise((resolve) => setTimeout(resolve, 10));
    const started = performance.now();
    await bench.maildrop.wake(submission(bench.directory));
    // 1000 files of a user wait before its next one; other users' would not.
    await until(() => bench.found.length === 1);
    assertEquals(scanned, false);
    assert(performance.now() - started < 2000);
    await scan;
    await until(() => !bench.maildrop.busy);
    const named = bench.log.filter((line) => line.includes("no submission:"));
    assertEquals(new Set(named).size, named.length);
    assert(named.length >= 1000 && named.length <= 2000, `${named.length} lines`);
  }));

Deno.test("a missing maildrop is reported, and looked for again", () =>
  within(async (bench) => {
    Deno.removeSync(bench.directory, { recursive: true });
    await look(bench);
    assertMatch(bench.log[0]!, /^warning: maildrop: cannot be read: /);
    Deno.mkdirSync(bench.directory);
    submission(bench.directory);
    await look(bench);
    assertEquals(bench.found.length, 1);
  }));
