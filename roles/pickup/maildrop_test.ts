import { assert, assertEquals, assertMatch } from "@std/assert";
import { submit } from "../../tests/support/maildrop.ts";
import { until } from "../../tests/support/waiting.ts";
import type { Fate } from "./maildrop.ts";
import { LIMIT, look, names, submission, within } from "./test_maildrop.ts";

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
    const named = () => bench.log.filter((line) => line.includes("no submission:"));
    let scanned = false, first = false, before = Infinity;
    bench.fate = () => {
      first = !scanned;
      before = named().length;
      return "done";
    };
    const scan = bench.maildrop.scan().then(() => (scanned = true));
    await new Promise((resolve) => setTimeout(resolve, 10));
    await bench.maildrop.wake(submission(bench.directory));
    // 1000 files of a user wait before its next one; other users' would not.
    await until(() => bench.found.length === 1);
    assert(first, "it waited for all files");
    await scan;
    await until(() => !bench.maildrop.busy);
    const { length } = named();
    assertEquals(new Set(named()).size, length);
    assert(length >= 1000 && length <= 2000, `${length} lines`);
    assert(before < length / 2, `after ${before} of them`);
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
