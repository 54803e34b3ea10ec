/**
 * postlogd - write the log.
 *
 * Takes what the other roles say, writes before it when and who, which it knows by the socket, and appends it to maillog_file
 * or sends it to a syslog socket.
 *
 * Trusts   nobody to be brief, to be who he says, or to say when: lines and their number are bounded, none is from the future.
 * Talks to nobody; answers log.
 * Keeps    the log file: no other process writes it.
 * Fails    a log that cannot be written goes to standard error, so much of it a minute; mail goes on.
 */

import { answer } from "../../shared/ipc/server.ts";
import { ownSyslogSocket, processOfLog } from "../../shared/layout.ts";
import { finished, formatJson, formatText } from "../../shared/log/format.ts";
import type { Spoken } from "../../shared/log/said.ts";
import { postlogdParameters } from "../../shared/parameters/postlogd.ts";
import { logService, roleLogService } from "../../shared/protocols/log.ts";
import { role } from "../../shared/role/role.ts";
import { shipTo } from "../../shared/role/sink.ts";
import { Merge } from "./merge.ts";
import { plausible } from "./plausible.ts";
import { logWriter } from "./writer.ts";

role({
  name: "postlogd",
  parameters: postlogdParameters,
  start({ params, hostname, answers }) {
    const target = (values: typeof params) => ({
      file: values.maillogFile,
      syslogSocket: values.syslogSocket,
      ownSocket: ownSyslogSocket(values.queueDirectory),
    });
    const writer = logWriter(target(params));
    const merge = new Merge((lines) => writer.write(lines));
    const format = params.logFormat === "json" ? formatJson : formatText;
    const write = async (process: string, spoken: Spoken & { pid: number }) => {
      const origin = { process, pid: spoken.pid, hostname };
      await merge.add(finished(plausible(process, spoken), origin, format));
      return {};
    };
    shipTo((spoken, { process, pid }) => write(process, { ...spoken, pid }));
    const ofRoles = answers.flatMap((name) => {
      const process = processOfLog(name);
      if (process === undefined) return [];
      return [answer(roleLogService(name), { write: (spoken) => write(process, spoken) })];
    });
    return {
      answers: [
        answer(logService, { write: ({ process, ...spoken }) => write(process, spoken) }),
        ...ofRoles,
      ],
      drain() {
        merge.flush();
        return writer.close();
      },
    };
  },
});
