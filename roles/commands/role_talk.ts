/** Lets a person call the services of a role that runs alone: `CALL {JSON}` a line, filled up with a sample request. */

import { client } from "../../shared/ipc/client.ts";
import type { Call } from "../../shared/ipc/declare.ts";
import { reason } from "../../shared/errors.ts";
import { withoutControls } from "../../shared/log/printable.ts";
import { serviceNamed } from "../../shared/protocols/mod.ts";
import { exampleOf, type Fields, requestOf, sampleContent } from "./role_requests.ts";
import { contentText, readable } from "./role_stubs.ts";

/** A call and whose it is. */
interface Declared {
  readonly service: string;
  readonly call: Call;
}

/** Answers the lines of `input`; `pathOf` gives the socket of each of the services, `nexthop` where mail is delivered. */
export class Talk {
  #calls;
  #encoder = new TextEncoder();

  constructor(
    readonly services: readonly string[],
    readonly pathOf: (service: string) => string,
    readonly out: (text: string) => void,
    readonly nexthop?: string,
  ) {
    this.#calls = new Map<string, Declared>(
      services.flatMap((service) =>
        Object.entries(serviceNamed(service).calls).map(([name, call]) => [name, { service, call }])
      ),
    );
  }

  /** One line for people: what they can type. */
  get hint(): string {
    const [[name, { service, call }]] = [...this.#calls] as [[string, Declared]];
    const names = [...this.#calls.keys()].join(", ");
    const example = exampleOf(service, name, call, this.nexthop);
    return `type a call (${names}), alone or with what differs from a sample request: ${name} ${example}`;
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
      const called = this.#call(name, found, json ? parsed(json) : {});
      // Some stay open for as long as whoever calls wants: the next line must not wait for their end.
      if (found.call.deadlineSeconds) await called;
      else called.catch((error) => this.out(`<<< ${withoutControls(reason(error))}\n`));
    } catch (error) {
      this.out(`<<< ${withoutControls(reason(error))}\n`);
    }
  }

  async #call(name: string, { service, call }: Declared, given: Fields): Promise<void> {
    const text = sampleContent();
    const request = requestOf(service, name, call, given, text, this.nexthop);
    this.out(`>>> ${service}.${name} ${readable(request)}\n`);
    const caller = client(serviceNamed(service), { path: this.pathOf(service) });
    try {
      const content = call.contentIn ? this.#encoder.encode(text) : undefined;
      const answered = await caller.call(name, request as never, content);
      this.out(`<<< ${readable(answered.reply)}\n`);
      if (call.contentOut) this.out(await contentText(answered.content));
      if (call.settles) answered.settle();
    } finally {
      caller.close();
    }
  }
}

function parsed(json: string): Fields {
  const must = "what follows the call must be a JSON object";
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (error) {
    throw new Error(`${must}: ${reason(error)}`);
  }
  if (typeof value !== "object" || !value || Array.isArray(value)) throw new Error(must);
  return value as Fields;
}

/** A longer line is cut: it is no call. */
const MAX_LINE = 1 << 20;
