/** Text files of tables and lists, read again when they change. The only place where tables touch the disk. */

import { lookAt, REPLACEMENT } from "../config/named_file.ts";
import { type LogicalLine, logicalLines, startsWithSpace } from "../config/logical_lines.ts";
import { reason, StorageError } from "../errors.ts";
import { warning } from "../log/log.ts";

/** A file is looked at no more often than this. */
export const CHECK_MS = 1000;
/**
 * A new version counts when it has stayed the same for so long: an editor or a script may have emptied the file and not
 * yet written all of it, and what is not in a table is refused for good.
 */
const SETTLE_MS = 1500;
/** A file that never stays the same is taken as it is after so long. */
const MAX_UNSETTLED_MS = 30_000;
/** The file system's clock may tick as seldom as this: what is written twice within it has the same time of change. */
export const TICK_MS = 20;
/** A larger table belongs in a database; reading it would fill the memory of the role. */
export const MAX_FILE_BYTES = 64 * 1024 * 1024;
/** A longer logical line makes the file fail: the expressions that take lines apart need memory for each character. */
export const MAX_LINE_LENGTH = 4 * 1024 * 1024;
/** More than this many warnings about one version of a file do not help a log. */
const MAX_WARNINGS = 10;

/** How a file is read. */
export interface Reading {
  /** Milliseconds from any start, for how often files are looked at. */
  readonly clock: () => number;
  /** How long a new version must stay the same before it counts, milliseconds. */
  readonly settleMs?: number;
  /** A line that cannot be understood makes the file fail: without it, something would be let in that the file keeps out. */
  readonly strict?: boolean;
  /** Warnings about one version of a file; otherwise as many as suit a log. */
  readonly maxWarnings?: number;
}

/** What a parser says about single lines. */
export interface Remarks {
  /** The file. */
  readonly path: string;
  /** A line that cannot be understood, and what is made of it. */
  wrong(line: number, text: string, consequence?: string): void;
  /** A line that is understood and is probably not what was meant. */
  odd(line: number, text: string): void;
}

/** A file's parsed contents. */
export class TextFile<T> {
  #checked = -Infinity;
  /** The version that is in force. */
  #signature = "";
  /** The version that the last look found, and when it was first seen. */
  #found = "";
  #foundAt = 0;
  /** When the file was first seen to be another than the version in force. */
  #changingSince = Infinity;
  /** There was a version that could be used. */
  #read = false;
  #value: T | undefined;
  /** What was read while it may still have been written: it is read again. */
  #fresh: string | undefined;
  #error: StorageError | undefined;

  /** `parse` gets the text and remarks about its lines; what it throws makes the file fail. */
  constructor(
    readonly path: string,
    readonly parse: (text: string, remarks: Remarks) => T,
    readonly reading: Reading,
  ) {}

  /** The contents; throws StorageError while the file cannot be read or has an error. */
  get(): T {
    const now = this.reading.clock();
    if (now - this.#checked >= CHECK_MS) {
      this.#checked = now;
      this.#refresh(now);
    }
    if (this.#error) throw this.#error;
    return this.#value!;
  }

  #refresh(now: number): void {
    let signature = "";
    try {
      const { mtime, size, ino } = lookAt(this.path);
      const written = mtime?.getTime() ?? 0;
      signature = `${written} ${size} ${ino}`;
      if (signature === this.#signature || !this.#settled(signature, written, now)) return;
      if (size > MAX_FILE_BYTES) throw new StorageError(`larger than ${MAX_FILE_BYTES} bytes`);
      const text = Deno.readTextFileSync(this.path);
      if (text !== this.#fresh) this.#value = this.parse(text, remarks(this.path, this.reading));
      const age = Date.now() - written;
      // A time to come is somebody's doing, and would have it read for ever.
      this.#fresh = age >= 0 && age < TICK_MS ? text : undefined;
      this.#read = true;
      this.#changingSince = Infinity;
      this.#error = undefined;
      if (this.#fresh !== undefined) signature = "";
    } catch (error) {
      this.#fail(error);
      // An error in the text stays until the text changes; the right to read may come back without that.
      if (!(error instanceof StorageError)) signature = "";
    }
    this.#signature = signature;
  }

  /** True for a version that may be taken now: the first one at once; `written` is its time of day, milliseconds. */
  #settled(signature: string, written: number, now: number): boolean {
    if (signature !== this.#found) {
      this.#found = signature;
      this.#foundAt = now;
      this.#changingSince = Math.min(this.#changingSince, now);
    }
    const { settleMs = SETTLE_MS } = this.reading;
    return !this.#read || now - this.#foundAt >= settleMs || Date.now() - written >= settleMs ||
      now - this.#changingSince >= MAX_UNSETTLED_MS;
  }

  /** One warning for each new reason, not one for each look. */
  #fail(error: unknown): void {
    const text = `${this.path}: ${says(error)}`;
    if (this.#error?.message !== text) warning(text);
    this.#error = new StorageError(text);
    this.#value = undefined;
    // What is there no more must be parsed again, though the text be the same.
    this.#fresh = undefined;
  }
}

/** Warns about lines of a file, a bounded number of times. */
function remarks(path: string, { strict, maxWarnings = MAX_WARNINGS }: Reading): Remarks {
  let warnings = 0;
  const warn = (line: number, text: string) => {
    if (++warnings <= maxWarnings) warning(`${path}, line ${line}: ${text}`);
    if (warnings === maxWarnings + 1) warning(`${path}: there are more such lines`);
  };
  return {
    path,
    wrong(line, text, consequence = "skipping this line") {
      if (strict) throw new StorageError(`line ${line}: ${text}`);
      warn(line, `${text}: ${consequence}`);
    },
    odd: warn,
  };
}

/** Why a file cannot be opened now; undefined when it can. */
export function fileProblem(path: string): string | undefined {
  try {
    lookAt(path);
    Deno.openSync(path).close();
    return undefined;
  } catch (error) {
    return `${path}: ${says(error)}`;
  }
}

function says(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "cannot open: no such file";
  if (error instanceof Deno.errors.NotCapable) {
    return "cannot open: the policy row of this role does not name it";
  }
  if (error instanceof Deno.errors.PermissionDenied) return "cannot open: permission denied";
  return reason(error);
}

/** The logical lines of a table or list that can be any (postmap(1)); throws StorageError where one is too long. */
export function tableLines(text: string, remarks: Remarks): LogicalLine[] {
  return logicalLines(text).filter(({ text, line }) => {
    // Without it, the addresses that it has would be refused for good.
    if (text.length > MAX_LINE_LENGTH) {
      throw new StorageError(`line ${line}: longer than ${MAX_LINE_LENGTH} characters`);
    }
    const what = lineProblem(text);
    if (what) remarks.wrong(line, what);
    return !what;
  });
}

function lineProblem(text: string): string | undefined {
  if (text.includes(REPLACEMENT)) return "not UTF-8";
  return startsWithSpace(text) ? "starts with white space but continues nothing" : undefined;
}
