/** Stubs of the services that a role calls: each prints what it is sent, and answers as if all were well. */

import { createServer, type Server } from "node:net";
import type { Host } from "../../policies/grant.ts";
import { answer, Streamed } from "../../shared/ipc/server.ts";
import type { Content } from "../../shared/ipc/content.ts";
import { socketPath } from "../../shared/layout.ts";
import { withoutControls } from "../../shared/log/printable.ts";
import { serviceNamed } from "../../shared/protocols/mod.ts";
import { clearSocket, protectSocket } from "../supervisor/directories.ts";
import { answerOf, type Owner } from "./role_answers.ts";

/** So much of a content is shown; the rest is only counted. */
const SHOWN_BYTES = 16 * 1024;

/** Listens on the sockets of `services` below `queue`; the result closes them. */
export async function startStubs(
  queue: string,
  services: readonly string[],
  host: Host,
  owner: Owner,
  out: (text: string) => void,
): Promise<() => void> {
  const servers = await Promise.all(services.map((name) => {
    clearSocket(queue, name, host);
    const answerer = stub(name, owner, out);
    const server = createServer((socket) => answerer.attach(socket));
    return new Promise<Server>((resolve, reject) => {
      server.once("error", reject);
      server.listen(socketPath(queue, name), () => {
        protectSocket(queue, name, host);
        resolve(server);
      });
    });
  }));
  return () => servers.forEach((server) => server.close());
}

function stub(service: string, owner: Owner, out: (text: string) => void) {
  const declared = serviceNamed(service);
  const handlers = Object.entries(declared.calls).map(([name, call]) => [
    name,
    async (request: unknown, { content }: { content: Content }) => {
      const shown = call.contentIn ? await contentText(content) : "";
      const reply = answerOf(service, name, call, request, owner);
      out(exchange(`stub of ${service}`, `${service}.${name}`, request, shown, reply));
      return call.contentOut ? new Streamed(reply as object, new Uint8Array()) : reply;
    },
  ]);
  return answer(declared, Object.fromEntries(handlers));
}

/** One call as people read it. */
function exchange(
  who: string,
  call: string,
  request: unknown,
  content: string,
  reply: unknown,
): string {
  return `--- ${who}: ${call} ${readable(request)}\n${content}--- ${who}: answers ${
    readable(reply)
  }\n`;
}

/** A value on as few lines as can be read; what could control a terminal is escaped. */
export function readable(value: unknown): string {
  return Deno.inspect(value, {
    depth: 10,
    breakLength: 100,
    iterableLimit: 20,
    strAbbreviateSize: 500,
  })
    .split("\n").map(withoutControls).join("\n");
}

/** Content with a bar before each line, its length above it. */
export async function contentText(content: AsyncIterable<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let text = "", total = 0;
  for await (const chunk of content) {
    if (total < SHOWN_BYTES) {
      text += decoder.decode(chunk.subarray(0, SHOWN_BYTES - total), { stream: true });
    }
    total += chunk.length;
  }
  // A listing's lines end in LF; a LF in a message is a mistake to be seen.
  const end = text.includes("\r\n") ? "\r\n" : "\n";
  const whole = text.endsWith(end) ? text.slice(0, -end.length) : text;
  const lines = whole.replaceAll("\t", "    ").split(end).map((line) =>
    `    | ${withoutControls(line)}\n`
  );
  const rest = total > SHOWN_BYTES ? `    (${total - SHOWN_BYTES} bytes more)\n` : "";
  return `    content, ${total} bytes:\n${lines.join("")}${rest}`;
}
