/** What the tests of cleanup share: a cleanup between a rewrite and a queue of the test's own. */

import { byteText, textBytes } from "../../shared/bytes.ts";
import { Content } from "../../shared/ipc/content.ts";
import { setSink } from "../../shared/log/log.ts";
import type { Recipient } from "../../shared/mail/envelope.ts";
import { parseAll } from "../../shared/parameters/declare.ts";
import { cleanupParameters } from "../../shared/parameters/cleanup.ts";
import type { Lookup } from "../../shared/rewrite_cache.ts";
import { testEnvelope } from "../../tests/support/envelope.ts";
import { Cleanup, type Intake, type Reply, type Submission } from "./submit.ts";

export const RECEIVED = "Received: by mx.example.com (Postern) id 4dXyZ12345z1\r\n";
export const QUEUE_ID = "4dXyZ12345z1";

export function parameters(texts: Record<string, string> = {}) {
  const defaults = Object.values(cleanupParameters).map(({ name, fallback }) => [name, fallback]);
  return parseAll(cleanupParameters, {
    ...Object.fromEntries(defaults),
    myhostname: "mx.example.com",
    mydomain: "example.com",
    myorigin: "example.com",
    virtual_alias_maps: "",
    ...texts,
  });
}

export function recipient(address: string, more: Partial<Recipient> = {}): Recipient {
  return { address, original: address, orcpt: "", notify: [], ...more };
}

export function submission(more: Partial<Submission> = {}): Submission {
  return {
    envelope: testEnvelope({
      queueId: QUEUE_ID,
      sender: "joe@example.org",
      arrived: 1_700_000_000_000,
    }),
    recipients: [recipient("anna@example.com")],
    local: false,
    fullName: "",
    ...more,
  };
}

/** A message that arrives in these pieces; a single one arrives whole. */
export function content(...pieces: Uint8Array[]): Content {
  const arriving = new Content(pieces[0]!, pieces.length > 1, () => {});
  pieces.slice(1).forEach((piece, i) => arriving.push(piece, i < pieces.length - 2));
  return arriving;
}

export interface Queued {
  readonly sender: string;
  readonly body: string;
  readonly utf8Header: boolean | undefined;
  readonly recipients: string[];
  /** The key of its body. */
  readonly key: string | undefined;
  readonly text: string;
  readonly bytes: Uint8Array | undefined;
}

export interface Scene {
  readonly cleanup: Cleanup;
  readonly queue: Queued[];
  readonly log: string[];
  submit(text: string, more?: Partial<Submission>): Promise<Reply>;
}

/** Rewrite completes addresses with example.com; aliases come from a table, or from a function. */
export function scene(
  texts: Record<string, string> = {},
  aliases: Record<string, string> | ((address: string) => Lookup) = {},
  intake?: Intake["call"],
): Scene {
  const queue: Queued[] = [], log: string[] = [];
  setSink((severity, text) => log.push(severity === "info" ? text : `${severity}: ${text}`));
  // deno-lint-ignore no-explicit-any
  const enqueue = async (_name: string, request: any, sent: any) => {
    const parts: string[] = [];
    if (sent instanceof Uint8Array) parts.push(byteText(sent));
    else for await (const part of sent) parts.push(byteText(part));
    queue.push({
      sender: request.envelope.sender,
      body: request.envelope.body,
      utf8Header: request.envelope.utf8Header,
      recipients: request.recipients.map((each: Recipient) => each.address),
      key: request.body,
      text: parts.join(""),
      bytes: sent instanceof Uint8Array ? sent : undefined,
    });
    return { reply: {} };
  };
  const cleanup = new Cleanup(parameters(texts), {
    rewrite: (_context, address) => address.includes("@") ? address : `${address}@example.com`,
    lookup: (_parameter, address) =>
      typeof aliases === "function"
        ? aliases(address)
        : Promise.resolve({ value: aliases[address] ?? null, fail: false }),
    // deno-lint-ignore no-explicit-any
  }, { call: intake ?? enqueue, close() {} } as any);
  return {
    cleanup,
    queue,
    log,
    submit: (text, more) => cleanup.submit(submission(more), content(textBytes(text))),
  };
}
