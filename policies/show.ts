/** The policy for people and programs: what each role may do, and what becomes of it. */

import { answersOf, callsOf, type Grant, logsOf } from "./grant.ts";
import { type Row, supervisor } from "./mod.ts";
import type { Settings } from "./settings.ts";

/** A row as this configuration uses it. */
export interface Shown {
  readonly row: Row;
  readonly grant: Grant;
}

/** For reading: one paragraph a role. */
export function asTable(shown: readonly Shown[], settings: Settings): string {
  return shown.map(({ row, grant }) =>
    [
      `${grant.service}${grant.service === row.role ? "" : ` (${row.role})`}: ${row.because}\n`,
      line("answers", answersOf(row, grant.service, settings)),
      line("calls", callsOf(row, settings)),
      line("logs", Object.values(logsOf(row, grant.service, settings))),
      line(
        "network",
        grant.hosts.length
          ? grant.hosts
          : [row.inet ? "none (is handed listening sockets)" : "none"],
      ),
      line("reads", grant.reads.filter((path) => !grant.writes.includes(path))),
      line("writes", grant.writes),
      line("sockets", grant.foreignSockets),
      line("asks", row.sys?.map((fact) => `${fact} of the host`) ?? []),
      line("user", [grant.user?.name ?? "whoever starts the system"]),
      line("keeps", grant.capabilities),
      line("starts", ["no programs"]),
    ].join("")
  ).join("\n");
}

function line(name: string, values: readonly string[]): string {
  return values.length ? `  ${name.padEnd(9)}${values.join(", ")}\n` : "";
}

/** One object a role. */
export function asJson(shown: readonly Shown[], commands: (grant: Grant) => string[]): string {
  const rows = shown.map(({ row, grant }) => ({ ...grant, row, commandLine: commands(grant) }));
  return JSON.stringify(rows, null, 2) + "\n";
}

/** Who may talk to whom, as a diagram. */
export function asMermaid(shown: readonly Shown[], settings: Settings): string {
  const answerer = new Map<string, string>();
  for (const { row, grant } of shown) {
    for (const name of answersOf(row, grant.service, settings)) answerer.set(name, grant.service);
  }
  const edges = shown.flatMap(({ row, grant }) =>
    callsOf(row, settings).filter((name) => answerer.has(name)).map((name) => {
      const to = answerer.get(name)!;
      return `  ${id(grant)} -->${to === name ? "" : `|${name}|`} ${identifier(to)}`;
    })
  );
  const nodes = shown.map(({ grant }) => `  ${id(grant)}["${grant.service}${outside(grant)}"]`);
  const doors = shown.filter(({ row }) => row.inet)
    .map(({ grant }) => `  internet((internet)) --> ${id(grant)}`);
  return ["flowchart LR", ...nodes, ...new Set([...doors, ...edges])].join("\n") + "\n";
}

function outside(grant: Grant): string {
  if (grant.row.network) return "<br/>network";
  return grant.writes.length ? "<br/>files" : "";
}

function id(grant: Grant): string {
  return identifier(grant.row.inet ? grant.row.role : grant.service);
}

function identifier(name: string): string {
  return name.replace(/[^A-Za-z0-9]/g, "_");
}

/** The supervisor's own paragraph. */
export function supervisorText(): string {
  return `${supervisor.role}: ${supervisor.because}\n` + line("answers", supervisor.answers) +
    line("holds", supervisor.holds);
}
