/** Text files of tables and lists, read again when they change. The only place where tables touch the disk. */

import { type LogicalLine, logicalLines, startsWithSpace } from "../config/logical_lines.ts";
import { reason, StorageError } from "../errors.ts";
import { warning } from "../log/log.ts";

/** A file is looked at no more often than this: a change shows within it. */
export const CHECK_MS = 1000;
/** A larger table belongs in a database; reading it would fill the memory of the role. */
export const MAX_FILE_BYTES = 64 * 1024 * 1024;
/** A longer logical line is no table entry: it would not fit the reply to a lookup. */
export const MAX_LINE_LENGTH = 100_000;
/** More than this many warnings about one version of a file help nobody. */
const MAX_WARNINGS = 10;

/** A file's parsed contents. */
export class TextFile<T> {
  #checked = -Infinity;
  #signature = "";
  #value: T | undefined;
  #error: StorageError | undefined;

  /** `parse` gets the text and a `warn` that names file and line; what it throws makes the file fail. */
  constructor(
    readonly path: string,
    readonly parse: (text: string, warn: Warn) => T,
    readonly clock: () => number,
  ) {}

  /** The contents; throws StorageError while the file cannot be read or has an error. */
  get(): T {
    const now = this.clock();
    if (now - this.#checked >= CHECK_MS) {
      this.#checked = now;
      this.#refresh();
    }
    if (this.#error) throw this.#error;
    return this.#value!;
  }

  #refresh(): void {
    let signature = "";
    try {
      const { mtime, size, ino } = Deno.statSync(this.path);
      signature = `${mtime?.getTime()} ${size} ${ino}`;
      if (signature === this.#signature) return;
      if (size > MAX_FILE_BYTES) throw new StorageError(`larger than ${MAX_FILE_BYTES} bytes`);
      this.#value = this.parse(Deno.readTextFileSync(this.path), warner(this.path));
      this.#error = undefined;
    } catch (error) {
      this.#fail(error);
      // An error in the text stays until the text changes; the right to read may come back without that.
      if (!(error instanceof StorageError)) signature = "";
    }
    this.#signature = signature;
  }

  /** One warning for each new reason, not one for each look. */
  #fail(error: unknown): void {
    const text = `${this.path}: ${says(error)}`;
    if (this.#error?.message !== text) warning(text);
    this.#error = new StorageError(text);
    this.#value = undefined;
  }
}

export type Warn = (line: number, text: string) => void;

/** Warns about lines of a file, a bounded number of times. */
function warner(path: string): Warn {
  let warnings = 0;
  return (line, text) => {
    if (++warnings <= MAX_WARNINGS) warning(`${path}, line ${line}: ${text}`);
    if (warnings === MAX_WARNINGS) warning(`${path}: there are more such lines`);
  };
}

/** Why a file cannot be opened now; undefined when it can. */
export function fileProblem(path: string): string | undefined {
  try {
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

/** The logical lines of a table or list (postmap(1)); one that continues nothing is left out. */
export function tableLines(text: string, warn: Warn): LogicalLine[] {
  return logicalLines(text).filter(({ text, line }) => {
    if (text.length > MAX_LINE_LENGTH) {
      throw new StorageError(`line ${line}: longer than ${MAX_LINE_LENGTH} characters`);
    }
    const continues = startsWithSpace(text);
    if (continues) warn(line, "starts with white space but continues nothing");
    return !continues;
  });
}
