/**
 * Passes on where a test wants a role stopped (`shared/stop_points.ts`): POSTERN_STOP_AT=ROLE:POINT:COUNT, ... Several of one
 * role are for its processes in their order, and ROLE:- is for one that goes on, like all that come after the last.
 */

import { ConfigError } from "../../shared/errors.ts";
import { warning } from "../../shared/log/log.ts";
import { STOP_POINTS } from "../../shared/stop_points.ts";

export interface StopRequest {
  readonly point: string;
  readonly count: number;
}

let requests: Map<string, (StopRequest | undefined)[]> | undefined;

/** Where the next process of a role is to stop. */
export function takeStopPoint(role: string): { stopAt?: StopRequest } {
  requests ??= parse(Deno.env.get("POSTERN_STOP_AT") ?? "");
  const left = requests.get(role);
  if (!left?.length) return {};
  const stopAt = left.shift();
  const what = stopAt ? `will stop for good at ${stopAt.point}` : "goes on";
  warning(`POSTERN_STOP_AT: ${role} ${what}`);
  if (!stopAt) return {};
  return { stopAt };
}

function parse(text: string): Map<string, (StopRequest | undefined)[]> {
  const found = text.split(/[\s,]+/).filter(Boolean).map((each) => {
    const [role = "", point = "", count = "1"] = each.split(":");
    if (point === "-") return { role, stopAt: undefined };
    if (!Object.hasOwn(STOP_POINTS, point) || !(Number(count) > 0)) {
      throw new ConfigError(`POSTERN_STOP_AT: ${each}: expected ROLE:POINT:COUNT`);
    }
    return { role, stopAt: { point, count: Number(count) } };
  });
  const byRole = Map.groupBy(found, ({ role }) => role);
  return new Map([...byRole].map(([role, each]) => [role, each.map(({ stopAt }) => stopAt)]));
}
