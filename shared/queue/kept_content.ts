/** Content on its way into the queue: small content in memory until the commit writes it, anything longer in a file. */

import { concat } from "../ipc/frame.ts";
import type { ContentFiles } from "./content_files.ts";
import type { Kept } from "./store.ts";

/** Content above this gets a file of its own: the log would write it twice. */
const MAX_DATABASE_CONTENT = 256 * 1024;

/** A content file, written and synced. */
export class ContentFile {
  constructor(readonly queueId: string, readonly size: number) {}
}

/** Takes all of `source`; throws StorageError when a file of it cannot be written. */
export async function keepContent(
  queueId: string,
  source: AsyncIterable<Uint8Array>,
  files: ContentFiles,
): Promise<Kept> {
  const parts: Uint8Array[] = [];
  let size = 0;
  const chunks = source[Symbol.asyncIterator]();
  for (;;) {
    const { done, value } = await chunks.next();
    if (done) return concat(parts, size);
    parts.push(value);
    size += value.length;
    if (size > MAX_DATABASE_CONTENT) break;
  }
  return new ContentFile(queueId, await files.write(queueId, continued(parts, chunks)));
}

async function* continued(
  first: readonly Uint8Array[],
  rest: AsyncIterator<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  yield* first;
  for (;;) {
    const { done, value } = await rest.next();
    if (done) return;
    yield value;
  }
}
