/** What must be there before the roles of a configuration start: directories, the log, and who may reach which service. */

import type { Host } from "../../policies/grant.ts";
import type { Configuration } from "../../shared/config/configuration.ts";
import { ConfigError } from "../../shared/errors.ts";
import { supervisorParameters } from "../../shared/parameters/supervisor.ts";
import {
  makeDirectories,
  makeLogFile,
  makeMailboxBase,
  makeOwned,
  openService,
} from "./directories.ts";
import { placeProblems, writersOf } from "./places.ts";

/**
 * Makes every directory and file that a role of this configuration needs. Throws ConfigError, first of all for what must
 * stay as it is.
 */
export function prepare(configuration: Configuration, host: Host): void {
  const queue = configuration.value("queue_directory");
  refusePlaces(configuration, host);
  const mailboxWriters = writersOf("mailboxes", configuration, host);
  makeDirectories(queue, host);
  for (const grant of mailboxWriters) {
    for (const path of grant.writes) makeMailboxBase(path, grant);
  }
  makeLog(configuration, host);
  // The umask may have closed what was made.
  refusePlaces(configuration, host);
}

/** Makes the log, and gives it to who writes it, after a look at its place. Throws ConfigError. */
export function prepareLog(configuration: Configuration, host: Host): void {
  refusePlaces(configuration, host, (parameter) => parameter === "maillog_file");
  makeLog(configuration, host);
}

function makeLog(configuration: Configuration, host: Host): void {
  const make = configuration.value("maillog_file") ? makeLogFile : makeOwned;
  for (const { writes, user } of writersOf("maillog", configuration, host)) {
    for (const path of writes) make(path, user);
  }
}

/** Lets those users reach the services of commands whom a configuration authorizes that is in force. */
export function openServices(configuration: Configuration, host: Host): void {
  const queue = configuration.value("queue_directory");
  const { authorizedFlushUsers, authorizedMailqUsers } = configuration.typed(supervisorParameters);
  openService(queue, "flush", authorizedFlushUsers, host);
  openService(queue, "showq", authorizedMailqUsers, host);
}

/** Throws ConfigError for the first place that must not be touched. */
function refusePlaces(
  configuration: Configuration,
  host: Host,
  concerns = (_parameter: string) => true,
): void {
  const first = placeProblems(configuration, host).find(({ parameter }) => concerns(parameter));
  if (first) throw new ConfigError(`${first.parameter}: ${first.text}`);
}
