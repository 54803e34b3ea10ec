/** Contents as texts. */

import type { Sendable } from "../../shared/ipc/content.ts";

/** The text of a content that comes whole or in parts; of none, the empty one. */
export async function textOf(content: Sendable | undefined): Promise<string> {
  const decoder = new TextDecoder();
  if (content === undefined || content instanceof Uint8Array) return decoder.decode(content);
  let text = "";
  for await (const part of content) text += decoder.decode(part, { stream: true });
  return text + decoder.decode();
}
