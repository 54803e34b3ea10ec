/** Lets a person call the services of a role that runs alone: `CALL {JSON}` a line, filled up with a sample request. */

import { client } from "../../shared/ipc/client.ts";
import type { Call } from "../../shared/ipc/declare.ts";
import { reason } from "../../shared/errors.ts";
import { withoutControls } from "../../shared/log/printable.ts";
import { serviceNamed } from "../../shared/protocols/mod.ts";
import { sample } from "./role_sample.ts";
import { contentText, readable } from "./role_stubs.ts";

/** A call and whose it is. */
interface Declared {
  readonly service: string;
  readonly call: Call;
}

/** What goes with calls that carry content. */
const CONTENT = "Received: from a person at a terminal; Thu, 1 Jan 1970 00:00:00 +0000\r\n" +
  "From: sender@example.com\r\nSubject: a message from postern role\r\n\r\nHello.\r\n";

/** Answers the lines of `input`; `pathOf` gives the socket of each of the services. */
export class Talk {
  #calls;
  #encoder = new TextEncoder();

  constructor(
    readonly services: readonly string[],
    readonly pathOf: (service: string) => string,
    readonly out: (text: string) => void,
  ) {
    this.#calls = new Map<string, Declared>(
      services.flatMap((service) =>
        Object.entries(serviceNamed(service).calls).map(([name, call]) => [name, { service, call }])
      ),
    );
  }

  /** One line for people: what they can type. */
  get hint(): string {
    const names = [...this.#calls.keys()], first = names[0]!;
    const request = JSON.stringify(sample(this.#calls.get(first)!.call.request));
    return `type a call (${
      names.join(", ")
    }), and after it what differs from a sample request, as in: ${first}` +
      (request.length < MAX_EXAMPLE ? ` ${request}` : "");
  }

  /** Reads lines until the input ends. */
  async listen(input: ReadableStream<Uint8Array>): Promise<void> {
    let text = "";
    for await (
      const part of input.pipeThrough(
        new TextDecoderStream() as TransformStream<Uint8Array, string>,
      )
    ) {
      const lines = (text + part).split("\n");
      text = lines.pop()!.slice(0, MAX_LINE);
      for (const line of lines) if (line.trim()) await this.#answer(line.trim());
    }
  }

  async #answer(line: string): Promise<void> {
    const [, name = "", json = ""] = /^(\S+)\s*(.*)$/.exec(line) ?? [];
    const found = this.#calls.get(name);
    if (!found) {
      return this.out(`<<< no call "${name}": there are ${[...this.#calls.keys()].join(", ")}\n`);
    }
    try {
      const given = json ? parsed(json) : {};
      await this.#call(name, found, { ...sample(found.call.request) as object, ...given });
    } catch (error) {
      this.out(`<<< ${withoutControls(reason(error))}\n`);
    }
  }

  async #call(name: string, { service, call }: Declared, request: object): Promise<void> {
    this.out(`>>> ${service}.${name} ${readable(request)}\n`);
    const caller = client(serviceNamed(service), { path: this.pathOf(service) });
    try {
      const content = call.contentIn ? this.#encoder.encode(CONTENT) : undefined;
      const answered = await caller.call(name, request as never, content);
      this.out(`<<< ${readable(answered.reply)}\n`);
      if (call.contentOut) this.out(await contentText(answered.content));
      if (call.settles) answered.settle();
    } finally {
      caller.close();
    }
  }
}

function parsed(json: string): object {
  try {
    return JSON.parse(json);
  } catch (error) {
    throw new Error(`what follows the call must be a JSON object: ${reason(error)}`);
  }
}

/** A longer request is no example. */
const MAX_EXAMPLE = 80;
/** A longer line is cut: it is no call. */
const MAX_LINE = 1 << 20;
