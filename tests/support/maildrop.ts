/** Submissions as sendmail leaves them. */

import { concat } from "../../shared/bytes.ts";
import { Drop } from "../../shared/maildrop/drop.ts";
import {
  readSubmission,
  type Submission,
  SubmissionWriter,
  type Submitted,
} from "../../shared/maildrop/file_format.ts";

/** An envelope with nothing special about it. */
export const PLAIN: Submitted = {
  sender: "me",
  recipients: ["you@example.com"],
  fullName: "",
  notify: [],
  ret: "",
  envid: "",
  smtputf8: false,
  gateway: false,
  nonce: "n",
};

/** The file of a submission, plain but for what `envelope` says. */
export function fileOf(content: string | Uint8Array, envelope: Partial<Submitted> = {}) {
  const parts: Uint8Array[] = [];
  const writer = new SubmissionWriter((bytes) => parts.push(bytes), { ...PLAIN, ...envelope });
  writer.content(typeof content === "string" ? new TextEncoder().encode(content) : content);
  writer.seal();
  return concat(parts);
}

/** What such a file says. */
export function readBytes(bytes: Uint8Array): Promise<Submission> {
  return readSubmission((buffer, at) => {
    const part = bytes.subarray(at, at + buffer.length);
    buffer.set(part);
    return part.length;
  }, bytes.length);
}

/** Leaves a message in a maildrop; the name of its file. */
export function submit(
  directory: string,
  envelope: Pick<Submitted, "sender" | "recipients">,
  content: string,
): string {
  const drop = new Drop(directory, Deno.uid());
  drop.write(fileOf(content, { ...envelope, nonce: crypto.randomUUID() }));
  return drop.commit();
}
