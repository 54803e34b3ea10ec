/** What bounce says of a report, as far as it is believed. */

import { PeerError } from "../errors.ts";

/**
 * Of how many recipients the report told, from the first on. Throws PeerError for more than were asked for: those who come
 * after them would be taken for told.
 */
export function believedTold(told: number, asked: number): number {
  if (told > asked) {
    throw new PeerError(`bounce: told of ${told} recipients when asked to tell of ${asked}`);
  }
  return told;
}
