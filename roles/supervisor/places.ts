/** The places that a configuration names, looked at before anything in them is made or changed: why not to start on them. */

import { lstatSync } from "node:fs";
import { dirname } from "@std/path";
import { isThere } from "../../policies/bwrap.ts";
import { answersOf, type Grant, grantOf, type Host } from "../../policies/grant.ts";
import type { Place } from "../../policies/mod.ts";
import type { Configuration } from "../../shared/config/configuration.ts";
import { ConfigError, reason } from "../../shared/errors.ts";
import { pidFile, socketPath } from "../../shared/layout.ts";
import { valueOf } from "../../shared/parameters/declare.ts";
import { supervisorParameters } from "../../shared/parameters/supervisor.ts";
import { unfit } from "./by_descriptor.ts";
import { changeableLink } from "./changeable_link.ts";
import { logOwners, mailboxBaseProblem, socketProblem, STDOUT } from "./directories.ts";
import { overlapProblem } from "./overlap.ts";
import { wantedServices } from "./plans.ts";
import { queueProblem, rootsAlone } from "./queue_problem.ts";
import { openToOthers } from "./runtime.ts";
import { settingsOf } from "./settings.ts";

/** A parameter that names a place which cannot be used, and why. */
export interface PlaceProblem {
  readonly parameter: string;
  readonly text: string;
}

/** What is wrong with the places of a configuration; nothing is changed. */
export function placeProblems(configuration: Configuration, host: Host): PlaceProblem[] {
  const queue = configuration.value("queue_directory");
  const pids = dirname(pidFile(queue, configuration.value("process_id_directory")));
  const looks: readonly [string, () => string | undefined][] = [
    [
      "queue_directory",
      () =>
        denied(queue) ?? queueProblem(queue, host) ?? socketsProblem(configuration) ??
          enclosureProblem(configuration, host),
    ],
    ["process_id_directory", () => pidsProblem(pids, queue, host)],
    ["maillog_file", () => logProblem(configuration.value("maillog_file"), queue, host)],
    ["virtual_mailbox_base", () => mailboxProblem(configuration, host)],
  ];
  return looks.flatMap(([parameter, look]) => {
    const text = said(look);
    return text ? [{ parameter, text }] : [];
  });
}

/** The grants of the roles that this configuration starts and that write there. Throws ConfigError for one that the policy refuses. */
export function writersOf(place: Place, configuration: Configuration, host: Host): Grant[] {
  const settings = settingsOf(configuration);
  return wantedServices(configuration).filter(({ row }) => row.writes?.includes(place))
    .map(({ row, service }) => grantOf(row, service, settings, host));
}

const DENIED = "is where Deno lets no program write: choose a place outside /dev, /proc and /sys";

/** Whoever starts the system: root's looks would find the same by and by. */
function denied(path: string): string | undefined {
  return said(() => void lstatSync(path, { throwIfNoEntry: false }));
}

/** Somewhere on the way there may be no directory, or none that we may enter. */
function said(look: () => string | undefined): string | undefined {
  try {
    return look();
  } catch (error) {
    // Bad values, and what the policy refuses, are told elsewhere.
    if (error instanceof ConfigError) return undefined;
    if (error instanceof Deno.errors.NotCapable) return DENIED;
    return reason(error);
  }
}

/** Inside a queue that cannot be used, the queue's sentence is enough. */
function pidsProblem(path: string, queue: string, host: Host): string | undefined {
  if (path.startsWith(`${queue}/`) && said(() => denied(queue) ?? queueProblem(queue, host))) {
    return undefined;
  }
  return denied(path) ?? (host.root ? rootsAlone(path) : undefined);
}

/** Names of services, and of who logs, are a part of the path. */
function socketsProblem(configuration: Configuration): string | undefined {
  const queue = configuration.value("queue_directory"), settings = settingsOf(configuration);
  const answers = wantedServices(configuration)
    .flatMap(({ row, service }) => answersOf(row, service, settings));
  const paths = [...answers, "control"].map((name) => socketPath(queue, name));
  return paths.map(socketProblem).find(Boolean);
}

/** Without bubblewrap, a role that runs as another user must be able to get to its sockets and files. */
function enclosureProblem(configuration: Configuration, { mailOwner }: Host): string | undefined {
  const queue = configuration.value("queue_directory");
  const sandbox = valueOf(supervisorParameters.sandbox, configuration);
  if (!mailOwner || !["deno", "worker"].includes(sandbox)) return undefined;
  // The queue itself is opened when the system starts.
  let above = dirname(isThere(queue) ? Deno.realPathSync(queue) : queue);
  while (!isThere(above)) above = dirname(above);
  if (openToOthers(Deno.realPathSync(above))) return undefined;
  return `${queue} is inside a directory that ${mailOwner.name} may not enter, and there is no bubblewrap to show it: ` +
    `install bubblewrap, or set queue_directory to a place such as /var/spool/postern`;
}

/** A log file is given to its owner as it is found. */
function logProblem(path: string, queue: string, { root, mailOwner }: Host): string | undefined {
  const overlap = path && path !== STDOUT ? overlapProblem(path, queue) : undefined;
  if (overlap) return overlap;
  if (!root || !mailOwner || !path || path === STDOUT) return undefined;
  const link = changeableLink(dirname(path));
  if (link || !isThere(dirname(path))) return link;
  return unfit(path, "file", logOwners(path, mailOwner));
}

function mailboxProblem(configuration: Configuration, host: Host): string | undefined {
  const writers = writersOf("mailboxes", configuration, host);
  const queue = configuration.value("queue_directory");
  return writers.flatMap((grant) =>
    grant.writes.map((path) => overlapProblem(path, queue) ?? mailboxBaseProblem(path, grant))
  ).find(Boolean);
}
