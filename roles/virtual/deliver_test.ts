import { assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import { PeerError } from "../../shared/errors.ts";
import { Content } from "../../shared/ipc/content.ts";
import { CallError } from "../../shared/ipc/failure.ts";
import { giveDirectory } from "./directories.ts";
import { give } from "./owner.ts";
import { Scene, type Table } from "./test_scene.ts";

const SENT = ["sent", "2.0.0", "delivered to maildir"];
const MISCONFIGURED = ["deferred", "4.3.5", "mail system configuration error"];

Deno.test("deliver() writes a Maildir file with the envelope on top and LF line ends", async () => {
  using scene = new Scene({ "anna@example.com": "example.com/anna/" });
  assertEquals(await scene.deliver(["anna@example.com"]), [SENT]);
  assertEquals(scene.read("example.com/anna"), [
    "Return-Path: <joe@example.org>\nX-Original-To: all+anna@example.com\n" +
    "Delivered-To: anna@example.com\nSubject: x\n\na\nb\n",
  ]);
  assertEquals([...Deno.readDirSync(`${scene.base}/example.com/anna/tmp`)], []);
  const file = scene.files()[0]!;
  assertMatch(
    file,
    /\/new\/[0-9]{10}\.R[0-9a-f]{16}Q[0-9]+\.mx\\1371\.example\.com$/,
  );
  assertEquals(Deno.statSync(file).mode! & 0o777, 0o600);
  assertEquals(Deno.statSync(`${scene.base}/example.com/anna/cur`).mode! & 0o777, 0o700);
  assertMatch(
    scene.log[0]!,
    /^4dXyZ12345z1: to=<anna@example.com>, orig_to=<all\+anna@example.com>, relay=virtual, delay=.*, delays=.*, dsn=2\.0\.0, status=sent \(delivered to maildir\)$/,
  );
});

Deno.test("deliver() gives each recipient a file and an outcome of its own", async () => {
  using scene = new Scene({ "a@x": "a/", "b@x": "b/", "up@x": "../b/" });
  assertEquals(await scene.deliver(["a@x", "nobody@x", "b@x", "up@x"]), [
    SENT,
    ["bounced", "5.1.1", 'unknown user: "nobody@x"'],
    SENT,
    MISCONFIGURED,
  ]);
  assertEquals([scene.read("a").length, scene.read("b").length, scene.files().length], [1, 1, 2]);
});

Deno.test("deliver() puts a result that starts with a slash below the base, like any other", async () => {
  using scene = new Scene({ "a@x": "/d/a/", "b@x": "//d//a/", "c@x": "d/a/" });
  assertEquals(await scene.deliver(["a@x", "b@x", "c@x"]), [SENT, SENT, SENT]);
  assertEquals(scene.read("d/a").length, 1);
  assertEquals(scene.files().length, 1);
});

Deno.test("deliver() writes one file for all recipients with the same mailbox, and answers each", async () => {
  using scene = new Scene({ "a@x": "a/", "alias@x": "./a//", "b@x": "b/" });
  // More than are open at once.
  const recipients = Array.from({ length: 150 }, (_, i) => ["a@x", "b@x", "alias@x"][i % 3]!);
  assertEquals(await scene.deliver(recipients), recipients.map(() => SENT));
  assertEquals([scene.read("a").length, scene.read("b").length], [1, 1]);
  assertMatch(scene.read("a")[0]!, /^Return-Path: .*\n.*\n.*\nSubject: x\n\na\nb\n$/);
  assertEquals(scene.log.length, 150);
});

Deno.test("deliver() fails all recipients with the same mailbox alike", async () => {
  using scene = new Scene({ "a@x": "file/a/", "alias@x": "file/a/", "b@x": "b/" });
  Deno.writeTextFileSync(`${scene.base}/file`, "");
  const outcomes = await scene.deliver(["a@x", "b@x", "alias@x"]);
  assertEquals(outcomes.map(([status]) => status), ["deferred", "sent", "deferred"]);
});

Deno.test("deliver() puts 500 simultaneous messages into one Maildir, none over another", async () => {
  using scene = new Scene({ "a@x": "a/" });
  const deliveries = Array.from({ length: 500 }, (_, i) => scene.deliver(["a@x"], `N: ${i}\r\n`));
  assertEquals(new Set((await Promise.all(deliveries)).map(String)), new Set([String([SENT])]));
  assertEquals(new Set(scene.read("a")).size, 500);
});

Deno.test("deliver() writes a stream to all its recipients", async () => {
  using scene = new Scene({ "a@x": "a/", "b@x": "b/" });
  const content = new Content(new TextEncoder().encode("a\r"), true, () => {});
  content.push(new TextEncoder().encode("\nb\r\n"), true);
  content.push(new Uint8Array(0), false);
  assertEquals(await scene.deliver(["a@x", "b@x"], content), [SENT, SENT]);
  assertEquals(scene.read("a")[0]!.split("\n").slice(3), ["a", "b", ""]);
  assertEquals(scene.read("b")[0]!.split("\n").slice(3), ["a", "b", ""]);
});

Deno.test("deliver() leaves nothing behind when the content breaks off", async () => {
  using scene = new Scene({ "a@x": "a/" });
  const content = new Content(new TextEncoder().encode("a\r\n"), true, () => {});
  content.fail(new PeerError("the caller gave up"));
  await assertRejects(() => scene.deliver(["a@x"], content), PeerError, "gave up");
  assertEquals(scene.files(), []);
});

for (
  const [why, path] of [
    ["that leads up", "example.com/../../other/"],
    ["that is empty", ""],
    ["that is only a slash", "/"],
    ["that is two slashes", "//"],
    ["that leads up from a slash", "/../anna/"],
    ["that leads up to where it was", "/x/../../base/anna/"],
    ["that names only the base", "./"],
    ["with a NUL", "anna\0/"],
    ["with a line break", "anna\n/"],
    ["with too long a name", "x".repeat(256) + "/"],
    ["that is too deep", "x/".repeat(33)],
  ] as const
) {
  Deno.test(`deliver() defers for a mailbox path ${why}`, async () => {
    using scene = new Scene({ "a@x": path });
    const [[status, dsn]] = await scene.deliver(["a@x"]) as [string[]];
    assertEquals([status, dsn], ["deferred", "4.3.5"]);
    assertEquals(scene.files(), []);
  });
}

Deno.test("deliver() defers for an mbox, which is not built yet", async () => {
  using scene = new Scene({ "a@x": "a" });
  assertEquals(await scene.deliver(["a@x"]), [
    ["deferred", "4.3.5", "mbox delivery is not built yet"],
  ]);
});

for (
  const where of ["example.com", "example.com/anna", "example.com/anna/new", "example.com/anna/tmp"]
) {
  Deno.test(`deliver() does not follow a symbolic link at ${where}`, async () => {
    using scene = new Scene({ "a@x": "example.com/anna/" });
    for (const part of ["tmp", "new", "cur", "anna/tmp", "anna/new", "anna/cur"]) {
      Deno.mkdirSync(`${scene.top}/outside/${part}`, { recursive: true });
    }
    Deno.mkdirSync(`${scene.base}/${where}`.replace(/\/[^/]*$/, ""), { recursive: true });
    Deno.symlinkSync(`${scene.top}/outside`, `${scene.base}/${where}`);
    const [[status, dsn, text]] = await scene.deliver(["a@x"]) as [string[]];
    assertEquals([status, dsn], ["deferred", "4.2.0"]);
    assertMatch(text!, /^maildir delivery failed: open directory .*: Not a directory$/);
    assertEquals(scene.files(`${scene.top}/outside`), []);
  });
}

Deno.test("deliver() makes a Maildir again that was removed a moment ago", async () => {
  using scene = new Scene({ "a@x": "a/" });
  assertEquals(await scene.deliver(["a@x"]), [SENT]);
  Deno.removeSync(`${scene.base}/a`, { recursive: true });
  assertEquals(await scene.deliver(["a@x"]), [SENT]);
  assertEquals(scene.read("a").length, 1);
});

Deno.test("deliver() bounces a message above virtual_mailbox_limit, and no other", async () => {
  const limits = { virtual_mailbox_limit: "1000", message_size_limit: "1000" };
  using scene = new Scene({ "a@x": "a/" }, limits);
  const [[status, dsn, text]] = await scene.deliver(["a@x"], "x".repeat(1000)) as [string[]];
  assertEquals([status, dsn], ["bounced", "5.2.2"]);
  assertMatch(text!, /^maildir delivery failed: write maildir file .*: File too large$/);
  assertEquals(scene.files(), []);
  assertEquals(await scene.deliver(["a@x"], "x".repeat(800)), [SENT]);
});

Deno.test("deliver() bounces no message that message_size_limit let in", async () => {
  const limits = { virtual_mailbox_limit: "1000", message_size_limit: "2000" };
  using scene = new Scene({ "a@x": "a/" }, limits);
  const [[status, dsn, text]] = await scene.deliver(["a@x"], "x".repeat(1000)) as [string[]];
  assertEquals([status, dsn], ["deferred", "4.2.0"]);
  assertMatch(text!, /: virtual_mailbox_limit is smaller than message_size_limit$/);
  assertEquals(scene.files(), []);
  assertEquals(await scene.deliver(["a@x"], "x".repeat(800)), [SENT]);
});

Deno.test("deliver() defers when a file stands where a directory has to be", async () => {
  using scene = new Scene({ "a@x": "file/a/" });
  Deno.writeTextFileSync(`${scene.base}/file`, "");
  const [[status, dsn]] = await scene.deliver(["a@x"]) as [string[]];
  assertEquals([status, dsn], ["deferred", "4.2.0"]);
});

Deno.test("deliver() defers without virtual_mailbox_base", async () => {
  using scene = new Scene({ "a@x": "a/" }, { virtual_mailbox_base: "" });
  assertEquals(await scene.deliver(["a@x"]), [MISCONFIGURED]);
});

Deno.test("deliver() defers when a table fails or rewrite is away", async () => {
  using failing = new Scene(() => ({ value: null, fail: true }));
  assertEquals(await failing.deliver(["a@x"]), [["deferred", "4.3.0", "mailbox lookup failure"]]);
  using away = new Scene(() => Promise.reject(new CallError("unavailable", "rewrite: gone")));
  assertEquals(await away.deliver(["a@x"]), [["deferred", "4.3.0", "mailbox lookup failure"]]);
  assertEquals(away.log[0], "warning: rewrite: gone");
});

const OWNED = { virtual_uid_maps: "texthash:/u", virtual_gid_maps: "texthash:/g" };

function owned(uid: string | null, gid: string | null): Table {
  return (parameter) => ({
    value: parameter === "virtual_mailbox_maps"
      ? "d/a/"
      : parameter === "virtual_uid_maps"
      ? uid
      : gid,
    fail: false,
  });
}

for (
  const [uid, gid] of [
    ["99", "1000"],
    ["0", "1000"],
    ["-1", "1000"],
    ["4294967295", "1000"],
    ["1000x", "1000"],
    ["1e3", "1000"],
    [" 1000", "1000"],
    ["", "1000"],
    [null, "1000"],
    ["1000", "0"],
    ["1000", null],
  ] as const
) {
  Deno.test(`deliver() defers for the owner ${uid}:${gid}`, async () => {
    using scene = new Scene(owned(uid, gid), OWNED);
    assertEquals(await scene.deliver(["a@x"]), [MISCONFIGURED]);
    assertEquals(scene.files(), []);
  });
}

Deno.test({
  name: "deliver() gives file and Maildir to their owner",
  ignore: Deno.uid() !== 0,
  async fn() {
    using scene = new Scene(owned("12345", "12346"), OWNED);
    assertEquals(await scene.deliver(["a@x"]), [SENT]);
    for (
      const path of [
        scene.files()[0]!,
        ...["", "/new", "/tmp"].map((p) => `${scene.base}/d/a${p}`),
      ]
    ) {
      const { uid, gid } = Deno.statSync(path);
      assertEquals([path, uid, gid], [path, 12345, 12346]);
    }
    assertEquals(Deno.statSync(`${scene.base}/d`).uid, 0);
  },
});

/** What the owner of a Maildir puts in the place of what was looked at a moment ago. */
const EXCHANGES: [string, (maildir: string, outside: string) => void][] = [
  ...["tmp", "new"].map((part): [string, (maildir: string, outside: string) => void] => [
    `a link in the place of ${part}`,
    (maildir, outside) => {
      Deno.renameSync(`${maildir}/${part}`, `${maildir}/old`);
      Deno.symlinkSync(`${outside}/${part}`, `${maildir}/${part}`);
    },
  ]),
  ["a link to another's Maildir", (maildir, outside) => {
    Deno.renameSync(maildir, `${maildir}.old`);
    Deno.symlinkSync(outside, maildir);
  }],
];

for (const [what, exchange] of EXCHANGES) {
  Deno.test({
    name: `deliver() writes nothing through ${what}, put there since the last delivery`,
    ignore: Deno.uid() !== 0,
    async fn() {
      using scene = new Scene(owned("12345", "12346"), OWNED);
      const outside = `${scene.top}/outside`;
      for (const part of ["tmp", "new", "cur"]) {
        Deno.mkdirSync(`${outside}/${part}`, { recursive: true });
        Deno.chownSync(`${outside}/${part}`, 777, 777);
      }
      assertEquals(await scene.deliver(["a@x"]), [SENT]);
      exchange(`${scene.base}/d/a`, outside);
      const [[status, dsn]] = await scene.deliver(["a@x"]) as [string[]];
      assertEquals([status, dsn], ["deferred", "4.2.0"]);
      assertEquals(scene.files(outside), []);
    },
  });
}

for (const how of ["by a link above it", "by a link in its place"]) {
  Deno.test({
    name: `giveDirectory() gives away no directory of another that is reached ${how}`,
    ignore: Deno.uid() !== 0,
    fn() {
      using scene = new Scene({});
      const theirs = `${scene.top}/theirs/new`;
      Deno.mkdirSync(theirs, { recursive: true });
      Deno.chownSync(theirs, 777, 777);
      const above = how.includes("above");
      Deno.symlinkSync(above ? `${scene.top}/theirs` : theirs, `${scene.base}/link`);
      assertThrows(() =>
        giveDirectory({ uid: 12345, gid: 12346 }, `${scene.base}/link${above ? "/new" : ""}`)
      );
      assertEquals([Deno.statSync(theirs).uid, Deno.lstatSync(`${scene.base}/link`).uid], [777, 0]);
    },
  });
}

/** A chown that the system refuses. */
function refused(code: string): () => never {
  return () => {
    throw systemError(code);
  };
}

for (const code of ["EPERM", "EINVAL"]) {
  Deno.test(`give() leaves a file where it is when the system says ${code}`, () => {
    give({ uid: 12345, gid: 12346 }, refused(code));
  });
}

Deno.test("give() fails when the disk does", () => {
  assertThrows(() => give({ uid: 1, gid: 1 }, refused("EIO")), Error, "EIO");
});

function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: no`), { code });
}
