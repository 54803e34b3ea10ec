/** The whole system between a client and a server for sink.test, for tests of hostile input. */

import { assert, assertEquals } from "@std/assert";
import { connect } from "node:net";
import { peakKib } from "../support/processes.ts";
import { Sink, type SinkOptions } from "../support/sink.ts";
import { System } from "../support/system.ts";

const MAIN = `
smtpd_forbid_bare_newline_exclusions =
smtpd_forbid_unauth_pipelining = no
smtpd_error_sleep_time = 0
smtp_line_length_limit = 0
`;
/** What comes before the content of a message for the sink. */
export const ENVELOPE = "EHLO x\r\nMAIL FROM:<s@src.test>\r\nRCPT TO:<u@sink.test>\r\n";
/** Far more than any of these tests takes, on a machine that does other work as well. */
export const PATIENCE_MS = 120_000;
/** No role may need more than this, whatever it is sent; high-water mark of its memory. */
const MAX_ROLE_MIB = 500;

/** A system and its sink. */
export interface Scene extends AsyncDisposable {
  readonly system: System;
  readonly sink: Sink;
}

/** The system between a client and a server for sink.test. */
export async function scene(
  more: { main?: string; lmtp?: boolean; answer?: SinkOptions["answer"] } = {},
): Promise<Scene> {
  const sink = await Sink.start({
    lmtp: more.lmtp ?? false,
    ...(more.answer && { answer: more.answer }),
  });
  const kind = more.lmtp ? "lmtp:inet:127.0.0.1" : "smtp:[127.0.0.1]";
  const system = await System.start({
    sink: `${kind}:${sink.port}`,
    main: `${MAIN}${more.main ?? ""}`,
  });
  return {
    system,
    sink,
    async [Symbol.asyncDispose]() {
      await system[Symbol.asyncDispose]();
      await sink[Symbol.asyncDispose]();
    },
  };
}

/** Sends text of one char a byte as fast as it is taken; all replies, once one matches or the server closes. */
export function say(system: System, parts: Iterable<string>, until: RegExp): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(system.port, "127.0.0.1");
    let replies = "", last = "", wake = () => {}, ended = false;
    const end = (error?: Error) => {
      ended = true;
      clearTimeout(timer);
      socket.destroy();
      wake();
      if (error) reject(error);
      else resolve(replies);
    };
    const timer = setTimeout(
      () => end(new Error(`no ${until} in time: ${replies.slice(-300)}`)),
      PATIENCE_MS,
    );
    socket.setEncoding("latin1");
    socket.on("data", (text) => {
      replies += text;
      last = `${last}${text}`.slice(-500);
      if (until.test(last)) end();
    });
    socket.on("error", () => {});
    socket.on("close", () => end());
    socket.on("drain", () => wake());
    const write = async () => {
      for (const part of parts) {
        if (ended) return;
        if (!socket.write(part, "latin1")) await new Promise<void>((resolve) => (wake = resolve));
      }
    };
    write();
  });
}

/** Nothing crashed, and nothing grew without bounds. */
export function assertUnhurt({ system }: Scene): void {
  assertEquals(system.output.match(/^.*(panic|fatal): .*$/gm), null);
  for (const role of ["smtpd", "cleanup", "qmgr", "rewrite"]) {
    for (const pid of system.processes(role)) {
      const mebibytes = peakKib(pid) / 1024;
      assert(mebibytes < MAX_ROLE_MIB, `${role} needed ${Math.round(mebibytes)} MiB`);
    }
  }
}
