import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { StorageError } from "../../shared/errors.ts";
import type { Sendable } from "../../shared/ipc/content.ts";
import { CallError } from "../../shared/ipc/failure.ts";
import { setSink } from "../../shared/log/log.ts";
import { QUEUE_ID } from "../../shared/mail/queue_id.ts";
import { NotASubmission, type Submitted } from "../../shared/maildrop/file_format.ts";
import { madeSources, type Report } from "../../shared/protocols/bounce.ts";
import { textOf } from "../../tests/support/content.ts";
import { fileOf, readBytes } from "../../tests/support/maildrop.ts";
import { Submitter, type SubmitterOptions } from "./submitter.ts";

const NOW = Date.UTC(2026, 10, 21, 12, 0, 0);

interface Asked {
  readonly call: string;
  // deno-lint-ignore no-explicit-any
  readonly request: any;
  readonly content: string;
}

/** A submitter whose peers give these answers, each report on so many recipients at most, and what they were asked. */
function bench(reply: unknown, options: Partial<SubmitterOptions> = {}, most = Infinity) {
  const asked: Asked[] = [];
  const log: string[] = [];
  setSink((severity, text) => log.push(`${severity}: ${text}`));
  const peer = (reply: unknown) => ({
    async call(call: string, request: unknown, content?: Sendable) {
      asked.push({ call, request, content: await textOf(content) });
      if (reply instanceof Error) throw reply;
      return { reply };
    },
    close() {},
  });
  const reporting = {
    async call(call: string, request: Report, content?: Sendable) {
      asked.push({ call, request, content: await textOf(content) });
      return { reply: { queueId: "x", told: Math.min(most, request.recipients.length) } };
    },
    close() {},
  };
  const submitter = new Submitter({
    hostname: "mail.example.com",
    mailName: "Postern",
    messageSizeLimit: Infinity,
    // deno-lint-ignore no-explicit-any
    cleanup: peer(reply) as any,
    // deno-lint-ignore no-explicit-any
    bounce: reporting as any,
    now: () => NOW,
    ...options,
  });
  return { submitter, asked, log };
}

async function submission(envelope: Partial<Submitted> = {}, message = "Subject: x\r\n\r\nä\r\n") {
  const bytes = fileOf(message, {
    sender: "me@example.com",
    recipients: ["a@example.com", "b"],
    fullName: "My Name",
    ret: "HDRS",
    envid: "id",
    ...envelope,
  });
  return { found: await readBytes(bytes), bytes };
}

const QUEUED = { queued: true, code: 250, dsn: "2.0.0", text: "Ok" };

Deno.test("a submission goes to cleanup as local mail with a Received header on top", async () => {
  const { submitter, asked, log } = bench(QUEUED);
  const { found } = await submission();
  assertEquals(await submitter.submit({ submission: found, uid: 1000, modified: NOW }), "done");
  const { call, request, content } = asked[0]!;
  assertEquals(call, "submit");
  assertEquals([request.local, request.fullName], [true, "My Name"]);
  const { queueId, ...envelope } = request.envelope;
  assertMatch(queueId, QUEUE_ID);
  assertEquals(envelope, {
    sender: "me@example.com",
    arrived: NOW,
    client: { name: "", address: "", port: 0, helo: "", protocol: "" },
    smtputf8: false,
    body: "8bit",
    ret: "HDRS",
    envid: "id",
  });
  assertEquals(request.recipients[1], { address: "b", original: "b", orcpt: "", notify: [] });
  const [first, second, rest] = content.split("\r\n");
  assertEquals(first, "Received: by mail.example.com (Postern, from userid 1000)");
  assertMatch(second!, new RegExp(`^\tid ${queueId}; [A-Z][a-z]{2}, 21 Nov 2026 [0-9:]{8} [+-]`));
  assertEquals(rest, "Subject: x");
  assertEquals(log, [`info: ${queueId}: uid=1000 from=<me@example.com>`]);
});

for (const rest of ["", "x".repeat(200_000) + "\r\n"]) {
  Deno.test(`a first line of white space does not continue our header, with ${rest.length} more bytes`, async () => {
    const { submitter, asked } = bench(QUEUED);
    const { found } = await submission({}, ` a\r\nSubject: b\r\n${rest}`);
    await submitter.submit({ submission: found, uid: 0, modified: NOW });
    const { content } = asked[0]!;
    assertEquals(content.slice(content.indexOf("\r\n\r\n")), `\r\n\r\n a\r\nSubject: b\r\n${rest}`);
  });
}

Deno.test("a large submission is streamed", async () => {
  const { submitter, asked } = bench(QUEUED);
  const { found } = await submission({}, "x".repeat(1_000_000) + "\r\n");
  await submitter.submit({ submission: found, uid: 0, modified: NOW });
  assertEquals(asked[0]!.content.endsWith("xxx\r\n"), true);
  assertEquals(asked[0]!.content.length > 1_000_000, true);
});

Deno.test("the same file has the same queue id, another one another", async () => {
  const { submitter, asked } = bench(QUEUED);
  const { found } = await submission();
  const { found: other } = await submission({ nonce: "other" });
  for (const submission of [found, found, other]) {
    await submitter.submit({ submission, uid: 0, modified: NOW - 1000 });
  }
  const [first, again, third] = asked.map(({ request }) => request.envelope.queueId);
  assertEquals(first, again);
  assertEquals(first !== third, true);
});

Deno.test("a submission is named by its bytes, and those whose files are gone by the next ones", async () => {
  const clock = { now: NOW, steady: 0 };
  const { submitter, asked } = bench(QUEUED, {
    now: () => clock.now,
    steady: () => clock.steady,
  });
  const { found } = await submission();
  const { found: other } = await submission({ nonce: "other" });
  const submit = (submission: typeof found) =>
    submitter.submit({ submission, uid: 0, modified: NOW });
  await submit(found);
  await submit(found);
  submitter.settle({ submission: found, uid: 0, modified: NOW });
  // Somebody sets the clock: nothing has become older.
  clock.now += 60_000;
  await submit(found);
  assertEquals(asked.at(-1)!.request.source.settled, []);
  clock.now -= 120_000;
  clock.steady += 10_000;
  await submit(other);
  await submit(other);
  const [first, again, , third, last] = asked.map(({ request }) => request.source);
  assertEquals([first, first], [again, { id: found.checksum.toHex(), settled: [] }]);
  assertEquals(third, { id: other.checksum.toHex(), settled: [first.id] });
  assertEquals(last, { id: third.id, settled: [] });
});

Deno.test("what the queue may forget is told again when a submission fails", async () => {
  const clock = { steady: 0 };
  const { submitter, asked } = bench(new CallError("unavailable", "gone"), {
    steady: () => clock.steady,
  });
  const { found } = await submission();
  submitter.settle({ submission: found, uid: 0, modified: NOW });
  clock.steady += 60_000;
  for (let n = 0; n < 2; n++) {
    assertEquals(
      await submitter.submit({ submission: found, uid: 0, modified: NOW }),
      "unavailable",
    );
  }
  assertEquals(asked.map(({ request }) => request.source.settled), [
    [found.checksum.toHex()],
    [found.checksum.toHex()],
  ]);
});

Deno.test("a submission that was queued already is done, and the log says as what", async () => {
  const { submitter, log } = bench({ ...QUEUED, already: "4dXyZ12345z1" });
  const { found } = await submission();
  assertEquals(await submitter.submit({ submission: found, uid: 0, modified: NOW }), "done");
  assertMatch(log[1]!, /^info: \w+: was queued already, as 4dXyZ12345z1$/);
});

Deno.test("a file's own time is believed within a day, and never ahead of ours", async () => {
  const { submitter, asked } = bench(QUEUED);
  const { found } = await submission();
  for (const modified of [NOW + 5000, NOW - 5000, 0, -1e15]) {
    await submitter.submit({ submission: found, uid: 0, modified });
  }
  const day = 86_400_000;
  assertEquals(asked.map(({ request }) => request.envelope.arrived), [
    NOW,
    NOW - 5000,
    NOW - day,
    NOW - day,
  ]);
});

Deno.test("a temporary refusal keeps the file", async () => {
  const { submitter, log } = bench({ queued: false, code: 451, dsn: "4.3.0", text: "Later" });
  const { found } = await submission();
  assertEquals(await submitter.submit({ submission: found, uid: 0, modified: NOW }), "later");
  assertMatch(log[1]!, /^warning: \w+: not queued yet: 451 4\.3\.0 Later$/);
});

for (const code of ["unavailable", "deadline", "storage", "bug"] as const) {
  Deno.test(`cleanup failing with "${code}" makes all mail wait`, async () => {
    const { submitter } = bench(new CallError(code, "cleanup: trouble"));
    const { found } = await submission();
    const fate = await submitter.submit({ submission: found, uid: 0, modified: NOW });
    assertEquals(fate, "unavailable");
  });
}

Deno.test("a submission that cleanup does not take as a message waits alone", async () => {
  const { submitter } = bench(new CallError("refused", "cleanup: no"));
  const { found } = await submission();
  assertEquals(await submitter.submit({ submission: found, uid: 0, modified: NOW }), "later");
});

Deno.test("a permanent refusal is reported to the sender before the file goes", async () => {
  const { submitter, asked, log } = bench({ queued: false, code: 554, dsn: "5.4.0", text: "Loop" });
  const { found } = await submission();
  assertEquals(await submitter.submit({ submission: found, uid: 0, modified: NOW }), "done");
  const { call, request, content } = asked[1]!;
  assertEquals([call, request.kind, request.size], ["report", "failure", 18]);
  assertEquals(request.recipients.map((each: { address: string }) => each.address), [
    "a@example.com",
    "b",
  ]);
  assertEquals(request.recipients[0].outcome, {
    n: 0,
    status: "bounced",
    dsn: "5.4.0",
    text: "Loop",
    remoteMta: "",
    diagnostic: "",
  });
  assertEquals(content, "Subject: x\r\n\r\nä\r\n");
  assertMatch(log[1]!, /status=bounced \(554 5\.4\.0 Loop\), returned to sender$/);
});

Deno.test("each report gets the whole of a large message: bounce knows how much it quotes", async () => {
  const { submitter, asked } = bench(
    { queued: false, code: 554, dsn: "5.4.0", text: "Loop" },
    {},
    1,
  );
  const message = "Subject: x\r\n\r\n" + "x\r\n".repeat(100_000);
  const { found } = await submission({}, message);
  assertEquals(await submitter.submit({ submission: found, uid: 0, modified: NOW }), "done");
  const reports = asked.slice(1).map(({ request, content }) => [request.size, content.length]);
  assertEquals(reports, [[300_014, 300_014], [300_014, 300_014]]);
});

Deno.test("a report that is asked for again is known by its source, until its file has gone", async () => {
  const refusal = { queued: false, code: 554, dsn: "5.4.0", text: "Loop" };
  const recipients = Array.from({ length: 750 }, (_, n) => `a${n}@example.com`);
  const { found, bytes } = await submission({ recipients });
  const sources: string[][] = [];
  // The second pickup finds what the first one left when it was killed; the third another file of the same bytes.
  for (const modified of [NOW, NOW, NOW - 5000]) {
    const { submitter, asked } = bench(refusal);
    await submitter.submit({ submission: await readBytes(bytes), uid: 0, modified });
    sources.push(asked.slice(1).map(({ request }) => request.source));
  }
  assertEquals(sources[0], sources[1]);
  assertEquals(new Set(sources.flat()).size, 4);

  const clock = { steady: 0 };
  const { submitter, asked } = bench(refusal, { steady: () => clock.steady });
  await submitter.submit({ submission: found, uid: 0, modified: NOW });
  submitter.settle({ submission: found, uid: 0, modified: NOW });
  clock.steady += 60_000;
  await submitter.submit({ submission: found, uid: 0, modified: NOW });
  assertEquals(
    asked.findLast(({ call }) => call === "submit")!.request.source.settled,
    sources[0]!.map((source) => madeSources(source, 1, 1)).flatMap((
      { report, copy },
    ) => [report, copy]),
  );
});

Deno.test("recipients of whom a report does not tell are in the next one", async () => {
  const refusal = { queued: false, code: 554, dsn: "5.4.0", text: "Loop" };
  const recipients = Array.from({ length: 5 }, (_, n) => `a${n}@example.com`);
  const { found } = await submission({ recipients });
  const clock = { steady: 0 };
  const { submitter, asked } = bench(refusal, { steady: () => clock.steady }, 2);
  await submitter.submit({ submission: found, uid: 0, modified: NOW });
  const reports = asked.slice(1).map(({ request }) => request as Report);
  assertEquals(
    reports.map((report) => report.recipients.map(({ address }) => address[1]).join("")),
    ["01234", "234", "4"],
  );
  submitter.settle({ submission: found, uid: 0, modified: NOW });
  clock.steady += 60_000;
  await submitter.submit({ submission: found, uid: 0, modified: NOW });
  assertEquals(
    asked.findLast(({ call }) => call === "submit")!.request.source.settled,
    reports.map(({ source, recipients: { length } }) =>
      madeSources(source!, Math.min(2, length), length)
    ).flatMap(({ report, copy }) => [report, copy]),
  );
});

Deno.test("what was asked for with a submission goes with its envelope", async () => {
  for (const trace of ["verify", "deliver", undefined] as const) {
    const { submitter, asked } = bench(QUEUED);
    const { found } = await submission(trace ? { trace } : {});
    assertEquals(await submitter.submit({ submission: found, uid: 0, modified: NOW }), "done");
    assertEquals(asked[0]!.request.envelope.trace, trace);
  }
});

Deno.test("a permanent refusal of mail to verify is reported as that, whatever NOTIFY says", async () => {
  const { submitter, asked } = bench({ queued: false, code: 554, dsn: "5.4.0", text: "Loop" });
  const { found } = await submission({ trace: "verify", notify: ["NEVER"] });
  assertEquals(await submitter.submit({ submission: found, uid: 0, modified: NOW }), "done");
  const { kind, recipients } = asked[1]!.request;
  assertEquals([kind, recipients[0].outcome.status], ["trace", "undeliverable"]);
});

Deno.test("a permanent refusal whose report fails keeps the file", async () => {
  const refusal = { queued: false, code: 554, dsn: "5.4.0", text: "Loop" };
  const call = () => Promise.reject(new CallError("unavailable", "bounce: away"));
  // deno-lint-ignore no-explicit-any
  const { submitter } = bench(refusal, { bounce: { call, close() {} } as any });
  const { found } = await submission();
  assertEquals(await submitter.submit({ submission: found, uid: 0, modified: NOW }), "unavailable");
});

Deno.test("a permanent refusal that bounce says it told too many of keeps the file", async () => {
  const refusal = { queued: false, code: 554, dsn: "5.4.0", text: "Loop" };
  const call = () => Promise.resolve({ reply: { queueId: "x", told: 3 } });
  // deno-lint-ignore no-explicit-any
  const { submitter } = bench(refusal, { bounce: { call, close() {} } as any });
  const { found } = await submission();
  assertEquals(await submitter.submit({ submission: found, uid: 0, modified: NOW }), "later");
});

Deno.test("a permanent refusal of mail from the null sender is logged, and nobody told", async () => {
  const { submitter, asked, log } = bench({ queued: false, code: 554, dsn: "5.4.0", text: "Loop" });
  const { found } = await submission({ sender: "" });
  assertEquals(await submitter.submit({ submission: found, uid: 0, modified: NOW }), "done");
  assertEquals(asked.length, 1);
  assertMatch(log[1]!, /from=<>, status=bounced \(554 5\.4\.0 Loop\), nobody to be told$/);
});

Deno.test("a submission beyond message_size_limit is returned without asking cleanup", async () => {
  const { submitter, asked } = bench(QUEUED, { messageSizeLimit: 16 });
  const { found } = await submission();
  assertEquals(await submitter.submit({ submission: found, uid: 0, modified: NOW }), "done");
  assertEquals(asked.map(({ call }) => call), ["report"]);
  assertEquals(asked[0]!.request.recipients[0].outcome.dsn, "5.3.4");
});

Deno.test("a file that changes while it is sent is no submission", async () => {
  const { submitter } = bench(QUEUED);
  const { found, bytes } = await submission();
  bytes[bytes.length - 80]! ^= 1;
  await assertRejects(
    () => submitter.submit({ submission: found, uid: 0, modified: NOW }),
    NotASubmission,
  );
});

Deno.test("trouble with our own disk makes mail wait", async () => {
  const { submitter } = bench(new StorageError("maildrop: bad sector"));
  const { found } = await submission();
  assertEquals(await submitter.submit({ submission: found, uid: 0, modified: NOW }), "unavailable");
});
