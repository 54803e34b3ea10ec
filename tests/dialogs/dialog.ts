/**
 * Dialog files (STYLE C18): what a client says and what it must hear, for a session in memory, a running system or
 * another server. A line is
 *
 *   C: text      the client sends the text and CRLF; several such lines in a row go in one write
 *   C> text      the same without CRLF, with \r \n \0 \\ and \xHH for bytes
 *   C* 3 text    the text, with escapes, three times
 *   S: pattern   the next line of the server; * stands for anything
 *   ...          the rest of the server's reply
 *   CLOSED       the server has closed
 *
 * and, only where the session runs in memory,
 *
 *   H:           the client hangs up
 *   T: 300       so many seconds pass
 *   L: pattern   one of the log lines so far
 *   M: pattern   the next message that reached cleanup: `from=<a> to=<b>,<c> CONTENT`, content with escapes; `none`
 *
 * Lines that begin with `#` are comments; `# word: value` at the top describes the session (see memory.ts).
 */

import { concat } from "../../shared/bytes.ts";

/** A client's end of a connection. */
export interface Connection {
  send(bytes: Uint8Array): void;
  /** What the server sent next; undefined when it has closed. */
  receive(): Promise<Uint8Array | undefined>;
  close(): void;
  /** What only a session in memory can do. */
  readonly memory?: {
    pass(seconds: number): Promise<void>;
    settle(): Promise<void>;
    readonly log: readonly string[];
    readonly messages: readonly string[];
  };
}

interface Step {
  readonly number: number;
  readonly kind: string;
  readonly text: string;
}

/** How long a server may take for its next line. */
const PATIENCE_MS = 5000;

/** Runs a dialog; throws with the file's line number at the first difference. */
export async function runDialog(
  text: string,
  connect: () => Connection | Promise<Connection>,
): Promise<void> {
  const connection = await connect();
  const reader = new Lines(connection);
  const message = { next: 0 };
  let out: Uint8Array[] = [];
  const flush = () => {
    if (out.length) connection.send(concat(out));
    out = [];
  };
  try {
    for (const step of steps(text)) {
      if (step.kind.startsWith("C") && step.kind !== "CLOSED") {
        out.push(outgoing(step));
        continue;
      }
      flush();
      await perform(step, connection, reader, message);
    }
    flush();
  } finally {
    connection.close();
  }
}

/** The settings at the top of a dialog: `# word: value`. */
export function directives(text: string): [word: string, value: string][] {
  return [...text.matchAll(/^# ([a-z_]+): (.*)$/gm)].map((match) => [match[1]!, match[2]!]);
}

function* steps(text: string): Generator<Step> {
  let number = 0;
  for (const line of text.split("\n")) {
    number++;
    if (!line || line.startsWith("#")) continue;
    const [, kind, rest] = /^(C:|C>|C\*|S:|H:|T:|L:|M:|\.\.\.$|CLOSED$) ?(.*)$/.exec(line) ?? [];
    if (!kind) throw new Error(`line ${number}: not a dialog line: ${line}`);
    yield { number, kind, text: rest! };
  }
}

function outgoing({ kind, text }: Step): Uint8Array {
  if (kind === "C:") return new TextEncoder().encode(`${text}\r\n`);
  if (kind === "C>") return unescape(text);
  const [, times, unit] = /^([0-9]+) (.*)$/.exec(text)!;
  return concat(new Array(Number(times)).fill(unescape(unit!)));
}

async function perform(
  { kind, text, number }: Step,
  connection: Connection,
  reader: Lines,
  message: { next: number },
): Promise<void> {
  const fail = (found: string) => {
    throw new Error(`line ${number}: expected ${kind} ${text}\n  found: ${found}`);
  };
  const { memory } = connection;
  if (kind === "S:") {
    const line = await reader.line();
    if (line === undefined || !matches(text, line)) fail(line ?? "the server has closed");
  } else if (kind === "...") {
    for (let line = await reader.line(); line?.[3] === "-"; line = await reader.line());
  } else if (kind === "CLOSED") {
    const line = await reader.line();
    if (line !== undefined) fail(line);
  } else if (kind === "H:") {
    connection.close();
    await memory?.settle();
  } else if (kind === "T:") await memory?.pass(Number(text));
  else if (kind === "L:" && memory) {
    await memory.settle();
    if (!memory.log.some((line) => matches(text, line))) fail(memory.log.join("\n  "));
  } else if (kind === "M:" && memory) {
    await memory.settle();
    const found = memory.messages[message.next++] ?? "none";
    if (!matches(text, found)) fail(found);
  }
}

/** `*` is any text. */
function matches(pattern: string, text: string): boolean {
  const parts = pattern.split("*").map((part) => part.replace(/[.+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${parts.join(".*")}$`, "s").test(text);
}

function unescape(text: string): Uint8Array {
  const ESCAPES: Record<string, number> = { r: 13, n: 10, "0": 0, "\\": 92 };
  const out: Uint8Array[] = [];
  for (const part of text.match(/\\x[0-9a-f]{2}|\\.|[^\\]+/gi) ?? []) {
    if (part[0] !== "\\") out.push(new TextEncoder().encode(part));
    else {out.push(
        Uint8Array.of(part[1] === "x" ? parseInt(part.slice(2), 16) : ESCAPES[part[1]!]!),
      );}
  }
  return concat(out);
}

class Lines {
  #text = "";
  #decoder = new TextDecoder();

  constructor(readonly connection: Connection) {}

  /** The next line without its end; undefined when the server has closed. */
  async line(): Promise<string | undefined> {
    for (;;) {
      const end = this.#text.indexOf("\r\n");
      if (end >= 0) {
        const line = this.#text.slice(0, end);
        this.#text = this.#text.slice(end + 2);
        return line;
      }
      const bytes = await this.#patiently();
      if (bytes === undefined) return this.#text || undefined;
      this.#text += this.#decoder.decode(bytes, { stream: true });
    }
  }

  async #patiently(): Promise<Uint8Array | undefined> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new Error(`no answer; so far: ${JSON.stringify(this.#text)}`)),
        PATIENCE_MS,
      );
    });
    try {
      return await Promise.race([this.connection.receive(), late]);
    } finally {
      clearTimeout(timer);
    }
  }
}
