/**
 * postlogd - write the log.
 *
 * Takes finished lines from the other roles and appends them to maillog_file, or sends them to a syslog socket.
 *
 * Trusts   nobody to be brief: lines and their number are bounded.
 * Talks to nobody; answers log.
 * Keeps    the log file: no other process writes it.
 * Fails    a log that cannot be written goes to standard error, so much of it a minute; mail goes on.
 */

import { answer } from "../../shared/ipc/server.ts";
import { ownSyslogSocket } from "../../shared/layout.ts";
import { withoutControls } from "../../shared/log/printable.ts";
import { postlogdParameters } from "../../shared/parameters/postlogd.ts";
import { logService } from "../../shared/protocols/log.ts";
import { role } from "../../shared/role/role.ts";
import { shipTo } from "../../shared/role/sink.ts";
import { Merge } from "./merge.ts";
import { logWriter } from "./writer.ts";

role({
  name: "postlogd",
  parameters: postlogdParameters,
  start({ params }) {
    const target = (values: typeof params) => ({
      file: values.maillogFile,
      syslogSocket: values.syslogSocket,
      ownSocket: ownSyslogSocket(values.queueDirectory),
    });
    const writer = logWriter(target(params));
    const merge = new Merge((lines) => writer.write(lines));
    shipTo((said) => merge.add(said));
    return {
      answers: [
        answer(logService, {
          async write({ lines, since, after }) {
            // They should be printable already; a role that is broken must not write lines of its own making.
            await merge.add({ lines: lines.map(withoutControls), since, after });
            return {};
          },
        }),
      ],
      drain() {
        merge.flush();
        return writer.close();
      },
    };
  },
});
