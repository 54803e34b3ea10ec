/** What a role finds in the queue directory that it has beside stubs: mail to look at. */

import type { Row } from "../../policies/mod.ts";
import { databaseDirectory, maildropDirectory } from "../../shared/layout.ts";
import { type Envelope, NO_CLIENT, type Outcome } from "../../shared/mail/envelope.ts";
import { queueIdOf } from "../../shared/mail/queue_id.ts";
import { Drop } from "../../shared/maildrop/drop.ts";
import { SubmissionWriter } from "../../shared/maildrop/file_format.ts";
import { openStore } from "../../shared/queue/sqlite_store.ts";
import type { Batch } from "../../shared/queue/store.ts";
import { asOwner } from "./as_owner.ts";
import { sampleContent } from "./role_requests.ts";

/** What was put there, for people. */
export interface Scene {
  readonly text: string;
  end(): Promise<void>;
}

/** Makes it for a role that reads what others write; undefined for all others. */
export async function makeScene(
  row: Row,
  queue: string,
): Promise<Scene | undefined> {
  if (row.reads?.includes("maildrop")) return leaveSubmission(maildropDirectory(queue));
  return row.reads?.includes("listing") ? await fillQueue(databaseDirectory(queue)) : undefined;
}

function leaveSubmission(maildrop: string): Scene {
  const drop = new Drop(maildrop, Deno.uid());
  const writer = new SubmissionWriter((bytes) => drop.write(bytes), {
    sender: "sender",
    recipients: ["someone@example.com"],
    fullName: "A Person",
    notify: [],
    ret: "",
    envid: "",
    smtputf8: false,
    gateway: false,
    nonce: crypto.randomUUID(),
  });
  writer.content(new TextEncoder().encode(sampleContent()));
  writer.seal();
  drop.commit();
  return { text: "a message waits in the maildrop", end: () => Promise.resolve() };
}

/** The queue is its owner's, and stays open as qmgr holds it: who may only read needs that. */
async function fillQueue(directory: string): Promise<Scene> {
  const store = asOwner(directory, () => openStore(directory));
  await store.commit(queueOf(Date.now()));
  return { text: "the queue has a message of each kind", end: () => store.close() };
}

/** One message that is being delivered, one that waits, one on hold. */
function queueOf(now: number): Batch {
  const [active, deferred, held] = [3, 2, 1].map((hours) => sampleEnvelope(now, hours));
  const content = new TextEncoder().encode(sampleContent());
  const refused: Outcome = {
    n: 0,
    status: "deferred",
    dsn: "4.4.1",
    text: "connect to mx.example.com[192.0.2.25]:25: Connection refused",
    remoteMta: "",
    diagnostic: "",
  };
  const recipient = (address: string) => ({ address, original: address, orcpt: "", notify: [] });
  const message = (envelope: Envelope, ...addresses: string[]) => ({
    envelope,
    recipients: addresses.map(recipient),
    content,
    queue: "active" as const,
  });
  return {
    added: [
      message(active!, "someone@example.com", "another@example.org"),
      message(deferred!, "someone@example.com"),
      message({ ...held!, sender: "" }, "someone@example.net"),
    ],
    outcomes: [{ queueId: deferred!.queueId, outcomes: [refused] }],
    reported: [],
    moved: [
      { queueId: deferred!.queueId, queue: "deferred", nextTry: now },
      { queueId: held!.queueId, queue: "hold", nextTry: now },
    ],
    removed: [],
  };
}

function sampleEnvelope(now: number, hours: number): Envelope {
  const arrived = now - hours * 3600 * 1000;
  return {
    queueId: queueIdOf(arrived * 1000, hours),
    sender: "sender@example.com",
    arrived,
    client: NO_CLIENT,
    smtputf8: false,
    body: "7bit",
    ret: "",
    envid: "",
  };
}
