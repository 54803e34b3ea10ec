/** Passes on where a test wants a role stopped (`shared/stop_points.ts`): POSTERN_STOP_AT=ROLE:POINT:COUNT, ... */

import { ConfigError } from "../../shared/errors.ts";
import { warning } from "../../shared/log/log.ts";
import { STOP_POINTS } from "../../shared/stop_points.ts";

export interface StopRequest {
  readonly point: string;
  readonly count: number;
}

let requests: Map<string, StopRequest> | undefined;

/** Where the next process of a role is to stop: only once, so that the one that takes its place goes on. */
export function takeStopPoint(role: string): { stopAt?: StopRequest } {
  requests ??= parse(Deno.env.get("POSTERN_STOP_AT") ?? "");
  const stopAt = requests.get(role);
  if (!stopAt) return {};
  requests.delete(role);
  warning(`POSTERN_STOP_AT: ${role} will stop for good at ${stopAt.point}`);
  return { stopAt };
}

function parse(text: string): Map<string, StopRequest> {
  return new Map(
    text.split(/[\s,]+/).filter(Boolean).map((each) => {
      const [role = "", point = "", count = "1"] = each.split(":");
      if (!Object.hasOwn(STOP_POINTS, point) || !(Number(count) > 0)) {
        throw new ConfigError(`POSTERN_STOP_AT: ${each}: expected ROLE:POINT:COUNT`);
      }
      return [role, { point, count: Number(count) }];
    }),
  );
}
