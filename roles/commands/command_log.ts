/** The system's log, for commands: lines go where those of the roles go, while postlogd answers. */

import type { Configuration } from "../../shared/config/configuration.ts";
import { client } from "../../shared/ipc/client.ts";
import { socketPath } from "../../shared/layout.ts";
import { finished, formatJson, formatText } from "../../shared/log/format.ts";
import type { Severity } from "../../shared/log/log.ts";
import { printable } from "../../shared/log/printable.ts";
import { Speech } from "../../shared/log/said.ts";
import { valueOf } from "../../shared/parameters/declare.ts";
import { logging } from "../../shared/parameters/global.ts";
import { logService } from "../../shared/protocols/log.ts";

/** Lines that are sent in one call. */
const LINES_PER_CALL = 1000;

export class CommandLog {
  #client;
  #said = new Speech();
  #origin;
  #format;
  #direct = false;

  /** Lines of `process` (`postfix/postsuper`); `instead` takes them while nobody else does. */
  constructor(
    configuration: Configuration,
    process: string,
    readonly instead: (lines: readonly string[]) => void,
  ) {
    this.#client = client(logService, {
      path: socketPath(configuration.value("queue_directory"), "log"),
    });
    this.#origin = { process, pid: Deno.pid, hostname: configuration.logHostname };
    const json = valueOf(logging.logFormat, configuration) === "json";
    this.#format = json ? formatJson : formatText;
  }

  async say(severity: Severity, text: string): Promise<void> {
    this.#said.add(severity, printable(text));
    if (this.#said.length >= LINES_PER_CALL) await this.#flush();
  }

  async close(): Promise<void> {
    await this.#flush();
    this.#client.close();
  }

  async #flush(): Promise<void> {
    if (!this.#said.length) return;
    const said = this.#said.take();
    if (!this.#direct) {
      try {
        const { process, pid } = this.#origin;
        await this.#client.call("write", { ...said, process, pid });
        return;
      } catch {
        this.#direct = true;
      }
    }
    this.instead(finished(said, this.#origin, this.#format).lines);
  }
}
