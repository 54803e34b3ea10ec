/** What is wrong with a configuration: where, and what would be right. */

export interface Problem {
  /** Fatal stops the start; a warning names what has no effect or another effect than Postfix's. */
  readonly severity: "fatal" | "warning";
  readonly file: string;
  /** 0 where no line is to blame: a missing file, a default. */
  readonly line: number;
  /** The parameter or the service; empty where it is neither. */
  readonly parameter: string;
  readonly text: string;
  /** All of it in one line: `main.cf, line 3: myhostname: must be ...`. */
  readonly message: string;
}

/** Where something of the configuration stands. */
export interface Place {
  readonly file: string;
  readonly line: number;
}

/** Makes a problem. */
export function problem(
  severity: Problem["severity"],
  { file, line }: Place,
  parameter: string,
  text: string,
): Problem {
  const where = line ? `${file}, line ${line}` : file;
  const message = [where, parameter, text].filter(Boolean).join(": ");
  return { severity, file, line, parameter, text, message };
}

/** By file and line, and nothing twice. */
export function inOrder(problems: readonly Problem[]): Problem[] {
  const byMessage = new Map(problems.map((each) => [each.message, each]));
  return [...byMessage.values()].sort((a, b) =>
    a.file === b.file ? a.line - b.line : a.file < b.file ? -1 : 1
  );
}
