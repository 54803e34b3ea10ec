/** What the queue's commands ask of a running system. */

import { createServer, type Server } from "node:net";
import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import fc from "fast-check";
import { answer, type Answerer, Streamed } from "../../shared/ipc/server.ts";
import {
  flushService,
  type Listed,
  queueService,
  showqService,
} from "../../shared/protocols/queue.ts";
import { listingBytes } from "../../shared/queue/show.ts";
import { type FakeIo, fakeIo } from "../../tests/support/fake_io.ts";
import { namesIn } from "../../tests/support/files.ts";
import { submit } from "../../tests/support/maildrop.ts";
import { postqueue } from "./postqueue.ts";
import { postsuper } from "./postsuper.ts";
import { sendmail } from "./sendmail.ts";
import { listedLines } from "./queue_access.ts";
import { IDS, left } from "./test_queue.ts";

/** A service at its place under public/, until the test is over. */
async function serving(
  io: FakeIo,
  service: string,
  answerer: Answerer,
  test: () => Promise<void>,
): Promise<void> {
  const server: Server = createServer((socket) => answerer.attach(socket));
  await new Promise<void>((done) =>
    server.listen(`${io.queueDirectory}/public/${service}/s`, done)
  );
  try {
    await test();
  } finally {
    await new Promise((done) => server.close(done));
    io.remove();
  }
}

const LISTED: Listed = {
  queue_name: "active",
  queue_id: IDS[0],
  arrival_time: 1,
  message_size: 1,
  forced_expire: false,
  sender: "a@b",
  recipients: Array(2500).fill({ address: "user@example.org", delay_reason: "x".repeat(200) }),
};

Deno.test("a running system's listing is streamed, long messages in several lines", async () => {
  const io = fakeIo();
  async function* messages() {
    for (let n = 0; n < 5; n++) yield await Promise.resolve({ ...LISTED, queue_id: `ID${n}` });
  }
  const list = () => Promise.resolve(new Streamed({}, listingBytes(messages())));
  await serving(io, "showq", answer(showqService, { list }), async () => {
    assertEquals(await postqueue(["-j"], io), 0);
    const lines = io.written.out.trimEnd().split("\n");
    assertEquals(lines.map((line) => JSON.parse(line).recipients.length), Array(5).fill(2500));
    assertEquals(io.written.err, "");
  });
});

Deno.test("a running system is asked to act", async () => {
  const io = fakeIo();
  const asked: unknown[] = [];
  const act = (name: string) => (request: unknown) => {
    asked.push([name, request]);
    return Promise.resolve({ count: 1 });
  };
  const handlers = {
    hold: act("hold"),
    release: act("release"),
    delete: act("delete"),
    requeue: act("requeue"),
  };
  await serving(io, "queue", answer(queueService, handlers), async () => {
    assertEquals(await postsuper(["-d", IDS[0], "-r", "ALL"], io), 0);
  });
  assertEquals(asked, [
    ["delete", { which: [IDS[0]] }],
    ["requeue", { which: "ALL" }],
  ]);
});

Deno.test("mail in the maildrop of a running system is listed, and deleted with the rest", async () => {
  const io = fakeIo();
  const maildrop = `${io.queueDirectory}/maildrop`;
  const name = submit(maildrop, { sender: "me", recipients: ["a@x.test"] }, "Subject: x\r\n\r\n");
  async function* messages() {
    yield await Promise.resolve({ ...LISTED, recipients: [] });
  }
  const list = () => Promise.resolve(new Streamed({}, listingBytes(messages())));
  const act = () => Promise.resolve({ count: 2 });
  const handlers = { hold: act, release: act, delete: act, requeue: act };
  const kept = { ...io, remove() {} };
  await serving(kept, "showq", answer(showqService, { list }), async () => {
    assertEquals(await left(io), [`maildrop ${name}`, `active ${IDS[0]}`]);
  });
  await serving(io, "queue", answer(queueService, handlers), async () => {
    assertEquals(await postsuper(["-h", "ALL", "-d", "ALL"], io), 0);
    assertEquals(namesIn(maildrop), []);
  });
  assertMatch(io.written.err, /Deleted: 3 messages\npostsuper: Placed on hold: 2 messages\n$/);
});

Deno.test("ALL of one queue of a running system is asked for in large pieces, and only summed up", async () => {
  const io = fakeIo(), kept = { ...io, remove() {} };
  async function* messages() {
    for (let n = 0; n < 2500; n++) {
      const queue_name = n % 2 ? "deferred" as const : "hold" as const;
      yield await Promise.resolve({ ...LISTED, queue_id: `ID${n}`, queue_name, recipients: [] });
    }
  }
  const asked: string[][] = [];
  const act = ({ which }: { which: "ALL" | string[] }) => {
    asked.push([which].flat());
    return Promise.resolve({ count: which.length });
  };
  const list = () => Promise.resolve(new Streamed({}, listingBytes(messages())));
  const handlers = { hold: act, release: act, delete: act, requeue: act };
  await serving(
    kept,
    "showq",
    answer(showqService, { list }),
    () =>
      serving(io, "queue", answer(queueService, handlers), async () => {
        assertEquals(await postsuper(["-h", "ALL", "deferred"], io), 0);
      }),
  );
  assertEquals(io.written.err, "postsuper: Placed on hold: 1250 messages\n");
  assertEquals(asked.map((ids) => ids.length), [1000, 250]);
  assertEquals(asked.flat(), Array.from({ length: 1250 }, (_, n) => `ID${2 * n + 1}`));
});

Deno.test("a running system is asked to flush by the service that is for everybody", async () => {
  const io = fakeIo();
  const asked: unknown[] = [];
  const flush = (request: unknown) => {
    asked.push(request);
    return Promise.resolve({ count: 1 });
  };
  await serving(io, "flush", answer(flushService, { flush }), async () => {
    for (const args of [["-f"], ["-i", IDS[0]], ["-s", "example.com"]]) {
      assertEquals(await postqueue(args, io), 0);
    }
    assertEquals(await sendmail(["-q"], io), 0);
    assertEquals(await sendmail(["-qRexample.com"], io), 0);
  });
  const site = { id: "", site: "example.com" }, all = { id: "", site: "" };
  assertEquals(asked, [all, { id: IDS[0], site: "" }, site, all, site]);
});

Deno.test("listedLines() refuses whatever is not a listing", async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 100 }), async (bytes) => {
      async function* content() {
        yield await Promise.resolve(bytes);
      }
      await assertRejects(async () => {
        for await (const _ of listedLines(content()));
      });
    }),
  );
});

Deno.test("listedLines() puts lines together from any chunks", async () => {
  const line = JSON.stringify({ ...LISTED, recipients: [] }) + "\n";
  async function* content() {
    for (const byte of new TextEncoder().encode(line + line)) {
      yield await Promise.resolve(new Uint8Array([byte]));
    }
  }
  const found: Listed[] = [];
  for await (const each of listedLines(content())) found.push(each);
  assertEquals(found.length, 2);
});
