/** For the tests of tables: files in a directory that goes away, and a clock that a test turns. */

import { CHECK_MS } from "./text_file.ts";
import { setSink } from "../log/log.ts";
import { openTable, type Table } from "./table.ts";
import "./types.ts";

/** Somewhere to put table files; warnings are collected instead of shown. */
export class Bench implements Disposable {
  readonly directory = Deno.makeTempDirSync({ prefix: "tables-" });
  readonly warnings: string[] = [];
  now = 0;
  readonly environment = { clock: () => this.now, settleMs: 0 };

  constructor() {
    setSink((_severity, text) => this.warnings.push(text));
  }

  /** Writes a file and gives its path. */
  write(name: string, text: string): string {
    const path = `${this.directory}/${name}`;
    Deno.writeTextFileSync(path, text);
    return path;
  }

  /** A table of that type with that text. */
  table(type: string, text: string): Table {
    return openTable(`${type}:${this.write(type, text)}`, this.environment);
  }

  /** Time goes on until files are looked at again. */
  later(): void {
    this.now += CHECK_MS;
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.directory, { recursive: true });
    setSink(() => {});
  }
}
