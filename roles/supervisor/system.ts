/** What plans are made from: the configuration, the host, and the sockets that outlive a configuration. */

import type { Runtime } from "../../policies/bwrap.ts";
import type { Host } from "../../policies/grant.ts";
import type { Settings } from "../../policies/settings.ts";
import type { Configuration } from "../../shared/config/configuration.ts";
import { readHost } from "./host.ts";
import type { Layers } from "./launch.ts";
import { Listeners } from "./listeners.ts";
import { OwnSocketPlaces } from "./own_sockets.ts";
import { settingsOf } from "./settings.ts";

/** What a system starts with. */
export interface Ground {
  readonly configuration: Configuration;
  readonly host: Host;
  readonly runtime: Runtime;
  readonly layers: Layers;
  /** Where its sockets are. */
  readonly directory: string;
}

/** Everything that stands while the system runs. */
export interface System extends Omit<Ground, "directory"> {
  readonly settings: Settings;
  readonly listeners: Listeners;
  readonly ownSockets: OwnSocketPlaces;
}

/** The system before anything of it has started. */
export function systemOn({ directory, ...ground }: Ground): System {
  return {
    ...ground,
    settings: settingsOf(ground.configuration),
    listeners: new Listeners(directory, ground.host),
    ownSockets: new OwnSocketPlaces(directory, ground.host),
  };
}

/** The system under a new configuration: its sockets stay. */
export function adopt(system: System, configuration: Configuration): System {
  return {
    ...system,
    configuration,
    settings: settingsOf(configuration),
    host: readHost(configuration.value("mail_owner")),
  };
}
