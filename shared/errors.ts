/** The four classes of what is broken, each with one consequence. What happens to mail is a value, never an error. */

/** The configuration cannot be used: stop, do not retry. The text names file, line and parameter. */
export class ConfigError extends Error {
  override name = "ConfigError";
}

/** A peer broke the protocol, stalled or went away: this conversation ends, the role goes on. */
export class PeerError extends Error {
  override name = "PeerError";
}

/** The disk, the database or a table cannot be used now: the client hears 4xx, intake pauses. */
export class StorageError extends Error {
  override name = "StorageError";
}

/** There is no room for more mail: as above, and whoever hears it asks for none for a while. */
export class FullError extends StorageError {
  override name = "FullError";
}

/** An invariant of our own does not hold: stop this role and start it again. */
export class BugError extends Error {
  override name = "BugError";
}

/** The text of anything that was thrown. */
export function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The sysexits that commands end with. */
export const EX = {
  OK: 0,
  USAGE: 64,
  DATAERR: 65,
  NOINPUT: 66,
  NOUSER: 67,
  UNAVAILABLE: 69,
  SOFTWARE: 70,
  OSERR: 71,
  CANTCREAT: 73,
  IOERR: 74,
  TEMPFAIL: 75,
  NOPERM: 77,
  CONFIG: 78,
} as const;
