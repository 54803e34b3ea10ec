/** Reads what roles left in an audit's directory, and says whether it agrees with the policy table. */

import { join } from "@std/path";
import { findings, needlessReasons, notGranted, type Request } from "./rights.ts";

/** What each role asked for, from files named ROLE.UNIQUE with one JSON object a line. */
function collect(directory: string): Map<string, Request[]> {
  const requests = new Map<string, Request[]>();
  for (const { name } of Deno.readDirSync(directory)) {
    const role = name.split(".")[0]!;
    const lines = Deno.readTextFileSync(join(directory, name)).split("\n");
    // A role that was killed may have left half a line.
    const whole = lines.filter((line) => line.endsWith("}")).map((line) => JSON.parse(line));
    requests.set(role, [...requests.get(role) ?? [], ...whole]);
  }
  return requests;
}

/** A directory in which every role may write, as whoever it runs as: the value of POSTERN_AUDIT_DIR. */
export function auditDirectory(): string {
  const directory = Deno.makeTempDirSync({ prefix: "postern-audit-" });
  Deno.chmodSync(directory, 0o777);
  return directory;
}

/** A table of every right of every role, what was asked for beside it, and whether all is as it must be. */
export function audit(directory: string): { ok: boolean; text: string } {
  const requests = collect(directory);
  const found = findings(requests);
  const unused = found.filter(({ verdict }) => verdict === undefined).length;
  const denied = notGranted(requests), needless = needlessReasons(found);
  const line = (role: string, right: string, verdict: string) =>
    `${role.padEnd(10)}${right.padEnd(24)}${verdict}`;
  const text = [
    line("ROLE", "RIGHT", "USED, OR WHY IT STANDS"),
    ...found.map(({ role, right, verdict }) => line(role, right, verdict ?? "NOT USED")),
    ...denied.map((each) => `asked for, not granted: ${each}`),
    ...needless.map((each) => `a reason that nothing needs: ${each}`),
    `${found.length} rights, ${unused} not used; ${denied.length} requests that no row grants`,
  ].join("\n");
  return { ok: !unused && !denied.length && !needless.length, text };
}
