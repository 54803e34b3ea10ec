import { lchownSync } from "node:fs";
import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { type FakeIo, fakeIo } from "../../tests/support/fake_io.ts";
import { namesIn } from "../../tests/support/files.ts";
import { fileOf, submit } from "../../tests/support/maildrop.ts";
import { listMaildrop, removeSubmissions } from "./maildrop.ts";
import { postcat } from "./postcat.ts";
import { postqueue } from "./postqueue.ts";
import { postsuper } from "./postsuper.ts";

const NAME = "0123456789abcdef".repeat(2);
const MAIL = "Subject: x\r\n\r\nbody\r\n";

/** A system that is down, with nothing in its queue. */
async function down(test: (io: FakeIo, maildrop: string) => Promise<void>): Promise<void> {
  const io = fakeIo();
  try {
    await test(io, `${io.queueDirectory}/maildrop`);
  } finally {
    io.remove();
  }
}

/** What `postqueue -j` prints. */
async function listed(io: FakeIo): Promise<Record<string, unknown>[]> {
  io.written.out = "";
  assertEquals(await postqueue(["-j"], io), 0);
  return io.written.out.split("\n").filter(Boolean).map((line) => JSON.parse(line));
}

Deno.test("postqueue shows what waits in the maildrop while the system is down", () =>
  down(async (io, maildrop) => {
    const name = submit(maildrop, { sender: "me", recipients: ["a@x.test", "b c@x.test"] }, MAIL);
    Deno.utimeSync(`${maildrop}/${name}`, 1795226199, 1795226199);
    assertEquals(await listed(io), [{
      queue_name: "maildrop",
      queue_id: name,
      // Somebody set a time that has not come yet: see below.
      arrival_time: Math.min(1795226199, Math.floor(Date.now() / 1000)),
      message_size: MAIL.length,
      forced_expire: false,
      sender: "me",
      recipients: [{ address: "a@x.test" }, { address: '"b c"@x.test' }],
    }]);
    io.written.out = "";
    assertEquals(await postqueue(["-p"], io), 0);
    const lines = io.written.out.split("\n");
    assertMatch(lines[1]!, new RegExp(`^${name} 20 \\w{3} \\w{3} [ \\d]\\d [\\d:]{8} me$`));
    assertEquals(lines[2], `${" ".repeat(47)}a@x.test`);
    assertEquals(lines.at(-2), "-- 0 Kbytes in 1 Request.");
  }));

Deno.test("postcat -q shows what waits in the maildrop", () =>
  down(async (io, maildrop) => {
    const name = submit(maildrop, { sender: "me", recipients: ["a@x.test"] }, MAIL);
    assertEquals(await postcat(["-q", name], io), 0);
    const lines = io.written.out.split("\n");
    assertEquals(lines.filter((line) => !/^(message|create)_/.test(line)), [
      `*** ENVELOPE RECORDS maildrop/${name} ***`,
      "named_attribute: rewrite_context=local",
      "sender: me",
      "original_recipient: a@x.test",
      "recipient: a@x.test",
      `*** MESSAGE CONTENTS maildrop/${name} ***`,
      "Subject: x",
      "",
      "body",
      `*** HEADER EXTRACTED maildrop/${name} ***`,
      `*** MESSAGE FILE END maildrop/${name} ***`,
      "",
    ]);
    io.written.out = "";
    assertEquals(await postcat(["-bq", name], io), 0);
    assertEquals(io.written.out, "\nbody\n");
  }));

Deno.test("postcat -q says what is no submission in the maildrop, and shows nothing that is not there", () =>
  down(async (io, maildrop) => {
    Deno.symlinkSync("/etc/passwd", `${maildrop}/${NAME}`);
    assertEquals(await postcat(["-q", NAME], io), 1);
    assertEquals(io.written, {
      out: "",
      err: `postcat: fatal: maildrop/${NAME}: no submission: is a symbolic link\n`,
    });
    Deno.removeSync(`${maildrop}/${NAME}`);
    assertEquals(await postcat(["-q", NAME], io), 1);
    assertMatch(io.written.err, /: No such file or directory\n$/);
  }));

/** A whole submission less its last line. */
const START = fileOf(MAIL).subarray(0, -72);

/** What anybody may put there, and what is said of it. */
const HOSTILE: [why: string, make: (path: string) => void, size: number | undefined][] = [
  ["garbage", (path) => Deno.writeTextFileSync(path, "garbage"), 7],
  ["an empty file", (path) => Deno.writeTextFileSync(path, ""), 0],
  ["a submission without its end", (path) => Deno.writeFileSync(path, START), START.length],
  ["a terabyte of nothing", (path) => void sparse(path, new Uint8Array(0)), 2 ** 40],
  ["a terabyte behind an envelope", (path) => void sparse(path, START), 2 ** 40],
  ["an envelope that says it is huge", (path) => {
    Deno.writeTextFileSync(path, "postern submission 1 9999999\n".padEnd(1000, "x"));
  }, 1000],
  ["an envelope of another shape", (path) => {
    const envelope = '{"__proto__":{"sender":"x"}}',
      head = `postern submission 1 ${envelope.length}`;
    Deno.writeTextFileSync(path, `${head}\n${envelope}\nx\r\nsha256 ${"0".repeat(64)}\n`);
  }, 128],
  ["a link to a file", (path) => Deno.symlinkSync("/etc/passwd", path), undefined],
  ["a link to a device", (path) => Deno.symlinkSync("/dev/zero", path), undefined],
  ["a second name of a file", (path) => {
    Deno.writeFileSync(`${path}x`, START);
    Deno.linkSync(`${path}x`, path);
  }, undefined],
  ["a pipe", (path) => void new Deno.Command("mkfifo", { args: [path] }).outputSync(), undefined],
  ["a directory", (path) => Deno.mkdirSync(path), undefined],
];

function sparse(path: string, start: Uint8Array): void {
  Deno.writeFileSync(path, start);
  Deno.truncateSync(path, 2 ** 40);
}

for (const [why, make, size] of HOSTILE) {
  Deno.test(`postqueue shows ${size === undefined ? "nothing" : "name and size"} of ${why} in the maildrop`, () =>
    down(async (io, maildrop) => {
      make(`${maildrop}/${NAME}`);
      const found = await listed(io);
      assertEquals(
        found.map(({ queue_id, message_size, sender, recipients }) => [
          queue_id,
          message_size,
          sender,
          recipients,
        ]),
        size === undefined ? [] : [[NAME, size, "", []]],
      );
      assertEquals(found.every(({ delay_reason }) => Boolean(delay_reason)), true);
      await postqueue(["-p"], io);
      assertEquals(io.written.out.includes("(cannot be read)"), size !== undefined);
    }));
}

Deno.test("postqueue shows no file that sendmail has not finished, and none that it did not name", () =>
  down(async (io, maildrop) => {
    for (const name of [`tmp.${NAME}`, "core", `${NAME}0`, "__proto__", "\u001b[2J"]) {
      Deno.writeFileSync(`${maildrop}/${name}`, fileOf(MAIL));
    }
    assertEquals(await listed(io), []);
  }));

Deno.test("postqueue shows a time that can be, whatever the owner of a file set", () =>
  down(async (io, maildrop) => {
    const name = submit(maildrop, { sender: "me", recipients: ["a@x.test"] }, MAIL);
    Deno.utimeSync(`${maildrop}/${name}`, -1000, -1000);
    assertEquals((await listed(io)).map((each) => each.arrival_time), [0]);
    Deno.utimeSync(`${maildrop}/${name}`, 9_000_000_000, 9_000_000_000);
    const [{ arrival_time }] = await listed(io) as [{ arrival_time: number }];
    assertEquals(arrival_time <= Date.now() / 1000, true);
  }));

Deno.test({
  name: "postqueue shows name and size of a file that only its owner may read",
  ignore: Deno.uid() === 0,
  fn: () =>
    down(async (io, maildrop) => {
      const name = submit(maildrop, { sender: "me", recipients: ["a@x.test"] }, MAIL);
      Deno.chmodSync(`${maildrop}/${name}`, 0);
      assertEquals((await listed(io)).map(({ sender, recipients }) => [sender, recipients]), [[
        "",
        [],
      ]]);
    }),
});

Deno.test("listMaildrop() is bounded, and says how many it leaves out", () =>
  down(async (_io, maildrop) => {
    for (let n = 0; n < 5; n++) submit(maildrop, { sender: `${n}`, recipients: ["a@x"] }, MAIL);
    const listing = listMaildrop(maildrop, 2);
    assertEquals((await listing.next()).done, false);
    assertEquals((await listing.next()).done, false);
    assertEquals(await listing.next(), { done: true, value: 3 });
    assertEquals(await listMaildrop("/nonexistent").next(), { done: true, value: 0 });
  }));

Deno.test("mailq says why a file in the maildrop is not taken", () =>
  down(async (io, maildrop) => {
    Deno.writeFileSync(`${maildrop}/${NAME}`, START);
    await postqueue(["-p"], io);
    const [, row, why, end] = io.written.out.split("\n");
    assertEquals(row?.endsWith(" (cannot be read)"), true);
    assertEquals([why, end], ["(not complete)".padStart(78), ""]);
  }));

const ENVELOPE = { sender: "me", recipients: ["a@x.test"] };

Deno.test("postsuper -d deletes a submission by its name, and says so", () =>
  down(async (io, maildrop) => {
    const [first, second] = [ENVELOPE, ENVELOPE].map((each) => submit(maildrop, each, MAIL));
    assertEquals(await postsuper(["-d", first!, "-d", NAME], io), 0);
    assertEquals(
      io.written.err,
      `postsuper: ${first}: removed\npostsuper: Deleted: 1 message\n`,
    );
    assertEquals((await listed(io)).map((each) => each.queue_id), [second]);
  }));

for (const [args, count] of [[["-d", "ALL"], 2], [["-d", "ALL", "maildrop"], 2]] as const) {
  Deno.test(`postsuper ${args.join(" ")} deletes what waits in the maildrop, whatever it is`, () =>
    down(async (io, maildrop) => {
      submit(maildrop, ENVELOPE, MAIL);
      Deno.writeTextFileSync(`${maildrop}/${NAME}`, "garbage");
      Deno.writeTextFileSync(`${maildrop}/tmp.${NAME}`, "still being written");
      assertEquals(await postsuper([...args], io), 0);
      assertMatch(io.written.err, new RegExp(`Deleted: ${count} messages\n$`));
      assertEquals(namesIn(maildrop), [`tmp.${NAME}`]);
    }));
}

for (const args of [["-d", "ALL", "hold"], ["-h", "ALL"], ["-r", "ALL", "maildrop"]]) {
  Deno.test(`postsuper ${args.join(" ")} leaves the maildrop alone`, () =>
    down(async (io, maildrop) => {
      const name = submit(maildrop, ENVELOPE, MAIL);
      assertEquals(await postsuper(args, io), 0);
      assertMatch(io.written.err, /: 0 messages\n$/);
      assertEquals(namesIn(maildrop), [name]);
    }));
}

Deno.test({
  name: "root deletes in the maildrop what its owner may delete, and nothing that a link leads to",
  ignore: Deno.uid() !== 0,
  fn: () =>
    down(async (io, maildrop) => {
      const others = `${io.configDirectory}/others`;
      Deno.mkdirSync(others, { mode: 0o700 });
      Deno.writeTextFileSync(`${others}/${NAME}`, "");
      Deno.removeSync(maildrop);
      Deno.symlinkSync(others, maildrop);
      lchownSync(maildrop, 65534, 65534);
      assertEquals(removeSubmissions(maildrop, "ALL"), 0);
      assertThrows(() => removeSubmissions(maildrop, [NAME]), Error, "permission denied");
      assertEquals(namesIn(others), [NAME]);
      await postsuper(["-d", "ALL"], io);
      assertEquals(namesIn(others), [NAME]);
    }),
});
