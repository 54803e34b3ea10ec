/** For tests: a queue with messages in it, while no system runs. */

import { databaseDirectory } from "../../shared/layout.ts";
import { openStore } from "../../shared/queue/sqlite_store.ts";
import { type FakeIo, fakeIo } from "../../tests/support/fake_io.ts";
import { postqueue } from "./postqueue.ts";

export const IDS = ["4jWb0l24cGzJDLg", "4jWb0l1yZvzJDLZ", "4jWb1j0jWRzJDLj"] as const;
const ARRIVED = new Date(2026, 10, 21, 1, 56, 39).getTime();

/** A queue with three messages, the second on hold, the third to verify its recipient, and no system running. */
export async function withQueue(test: (io: FakeIo) => Promise<void>, input = ""): Promise<void> {
  const io = fakeIo("", input);
  const store = openStore(databaseDirectory(io.queueDirectory));
  await store.commit({
    added: IDS.map((queueId, n) => ({
      envelope: {
        queueId,
        sender: n ? "me@example.com" : "",
        arrived: ARRIVED,
        client: n
          ? {
            name: "host.example.com",
            address: "192.0.2.1",
            port: 4711,
            helo: "h",
            protocol: "ESMTP",
          }
          : { name: "", address: "", port: 0, helo: "", protocol: "" },
        smtputf8: false,
        body: "7bit" as const,
        ret: "HDRS" as const,
        envid: "myid",
        ...(n === 2 ? { trace: "verify" as const } : {}),
      },
      recipients: [{
        address: "user@example.org",
        original: "user",
        orcpt: "rfc822;user@example.org",
        notify: ["FAILURE" as const, "DELAY" as const],
      }],
      content: new TextEncoder().encode("Subject: x\r\nTo: y\r\n\r\nbody\r\n\r\nend\r\n"),
      queue: "incoming" as const,
    })),
    outcomes: [],
    reported: [],
    moved: [],
    removed: [],
  });
  await store.hold([IDS[1]]);
  await store.close();
  try {
    await test(io);
  } finally {
    io.remove();
  }
}

/** The ids that are left, each with its queue. */
export async function left(io: FakeIo): Promise<string[]> {
  const before = io.written.out;
  await postqueue(["-j"], io);
  const lines = io.written.out.slice(before.length).split("\n").filter(Boolean);
  return lines.map((line) => JSON.parse(line)).map((each) => `${each.queue_name} ${each.queue_id}`);
}
