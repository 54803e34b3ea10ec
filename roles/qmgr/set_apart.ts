/** What becomes of a message whose record is damaged. */

import { warning } from "../../shared/log/log.ts";
import type { Change } from "./change.ts";
import type { Committer } from "./committer.ts";

export const CORRUPT: NonNullable<Change["move"]> = { queue: "corrupt", nextTry: 0 };

/** Moves a message to corrupt, if it can be with what is known of its recipients. */
export async function setApart(
  committer: Pick<Committer, "change">,
  queueId: string,
  known?: Pick<Change, "outcomes" | "reported">,
): Promise<void> {
  for (const what of known ? [known, {}] : [{}]) {
    const failure = await committer.change({ queueId, ...what, move: CORRUPT });
    if (!failure) return warning(`${queueId}: damaged record moved to corrupt`);
  }
  warning(
    `${queueId}: damaged record cannot be moved to corrupt: it is tried again at the next start`,
  );
}
