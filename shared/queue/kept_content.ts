/** Content on its way into the queue: small content in memory until the commit writes it, anything longer in a file. */

import { Budget, Share } from "../budget.ts";
import { concat } from "../bytes.ts";
import { StorageError } from "../errors.ts";
import type { ContentFiles } from "./content_files.ts";
import type { Kept } from "./store.ts";

/** Content above this gets a file of its own: it is written as it comes. */
export const MAX_WHOLE_CONTENT = 256 * 1024;

/** What content that is still arriving may take of memory, all of it together. */
const MAX_ARRIVING_BYTES = 64 * 1024 * 1024;
/** So much of each may always be there. */
const FREE_BYTES = 64 * 1024;

export function contentBudget(): Budget {
  return new Budget("content that arrives", MAX_ARRIVING_BYTES, FREE_BYTES);
}

/** A content file, written and synced. */
export class ContentFile {
  constructor(readonly queueId: string, readonly size: number) {}
}

/** Content as it arrives. */
export type Chunks = AsyncIterable<Uint8Array>;

/** Writes all of `source` to a file; throws StorageError when that cannot be done. */
export async function spoolContent(
  queueId: string,
  source: Chunks,
  files: ContentFiles,
): Promise<ContentFile> {
  return new ContentFile(queueId, await files.write(queueId, source));
}

/** What was kept, unless `signal` aborted meanwhile: then it is discarded, and this throws StorageError. */
export async function unlessAborted<K extends Kept>(
  signal: AbortSignal,
  queueId: string,
  kept: Promise<K>,
  store: { discard(content: Kept): Promise<void> },
): Promise<K> {
  const content = await kept;
  if (!signal.aborted) return content;
  await store.discard(content);
  throw new StorageError(`keep ${queueId}: the sender gave up`);
}

/** Takes all of `source`; throws StorageError when a file of it cannot be written. */
export async function keepContent(
  queueId: string,
  source: Chunks,
  files: ContentFiles,
  budget: Budget,
): Promise<Kept> {
  const share = new Share(budget), chunks = source[Symbol.asyncIterator]();
  try {
    const parts: Uint8Array[] = [];
    let size = 0;
    for (;;) {
      const { done, value } = await chunks.next();
      if (done) return concat(parts, size);
      parts.push(value);
      size += value.length;
      // A file takes what memory cannot.
      if (size > MAX_WHOLE_CONTENT || !share.add(value.length)) break;
    }
    share.release();
    return await spoolContent(queueId, continued(parts, chunks), files);
  } finally {
    // Where a file cannot be written, the rest is not asked for.
    await chunks.return?.();
    share.release();
  }
}

/** Keeps nothing of `first` that was taken. */
async function* continued(
  first: Uint8Array[],
  rest: AsyncIterator<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  for (let part = first.shift(); part; part = first.shift()) yield part;
  for (;;) {
    const { done, value } = await rest.next();
    if (done) return;
    yield value;
  }
}
