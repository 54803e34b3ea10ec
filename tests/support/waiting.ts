/** Waiting in tests: for a condition, never for a time that a slow machine may exceed. */

/** Generous: only a test that fails waits so long. */
const WITHIN_MS = 30_000;

export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** Lets what is under way in this process happen. */
export function turn(milliseconds = 5): Promise<void> {
  return pause(milliseconds);
}

/** Waits until `what` holds; throws after a while. */
export async function until(what: () => boolean, milliseconds = WITHIN_MS): Promise<void> {
  for (const end = Date.now() + milliseconds; !what();) {
    if (Date.now() > end) throw new Error(`still not so: ${what}`);
    await turn();
  }
}
