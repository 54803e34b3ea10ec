/** Submissions as sendmail leaves them. */

import { Drop } from "../../shared/maildrop/drop.ts";
import { SubmissionWriter, type Submitted } from "../../shared/maildrop/file_format.ts";

/** Leaves a message in a maildrop; the name of its file. */
export function submit(
  directory: string,
  envelope: Pick<Submitted, "sender" | "recipients">,
  content: string,
): string {
  const drop = new Drop(directory, Deno.uid());
  const writer = new SubmissionWriter((bytes) => drop.write(bytes), {
    ...envelope,
    fullName: "",
    notify: [],
    ret: "",
    envid: "",
    smtputf8: false,
    gateway: false,
    nonce: crypto.randomUUID(),
  });
  writer.content(new TextEncoder().encode(content));
  writer.seal();
  return drop.commit();
}
