/**
 * The log of a role: severities with Postfix's meaning, lines that tools parse made by `lines.ts`, everything printable.
 * Where lines go is decided once, at start, by `shared/role/role.ts`.
 */

import { printable } from "./printable.ts";
import { toStderr } from "./stderr.ts";

/** Info has no severity word; the others are written before the text (reference 9). */
export type Severity = "info" | "warning" | "error" | "fatal" | "panic";

/** Takes finished events; the role skeleton installs one that formats and ships them. `program` is as in `info()`. */
export type Sink = (
  severity: Severity,
  text: string,
  fields?: Readonly<Record<string, unknown>>,
  program?: string,
) => void;

let sink: Sink = (severity, text) => {
  const word = severity === "info" ? "" : `${severity}: `;
  toStderr(new TextEncoder().encode(`${word}${text}\n`));
};

/** Sets where this process's events go. */
export function setSink(next: Sink): void {
  sink = next;
}

/** Runs something whose events go elsewhere. */
export function divert<T>(to: Sink, run: () => T): T {
  const before = sink;
  sink = to;
  try {
    return run();
  } finally {
    sink = before;
  }
}

/**
 * Something normal that an operator may want to see. `fields` is the same event for JSON logs; `program` is the one of
 * Postfix that says this, where it is not the role itself: tools find lines by it.
 */
export function info(
  text: string,
  fields?: Readonly<Record<string, unknown>>,
  program?: string,
): void {
  sink("info", printable(text), fields, program);
}

/** Something is wrong, the role goes on. */
export function warning(text: string): void {
  sink("warning", printable(text));
}

/** Something did not work and somebody must look. */
export function error(text: string): void {
  sink("error", printable(text));
}

/** The role cannot go on; the supervisor starts it again after a pause. */
export function fatal(text: string): void {
  sink("fatal", printable(text));
}

/** An invariant of our own does not hold. */
export function panic(text: string): void {
  sink("panic", printable(text));
}
