/** Standard input of a command, line by line. */

import type { CommandIo } from "./io.ts";

/** Each line without its newline, cut to `longest` characters where it has no end. */
export async function* inputLines(io: CommandIo, longest: number): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let carry = "";
  for await (const chunk of io.input ?? []) {
    const lines = (carry + decoder.decode(chunk, { stream: true })).split("\n");
    carry = lines.pop()!.slice(0, longest);
    yield* lines;
  }
  carry += decoder.decode();
  if (carry) yield carry;
}
