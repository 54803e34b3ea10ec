/** Plausible values for what the protocols declare: what a stub answers, and what a person's call is filled up with. */

import type { TSchema } from "../../shared/ipc/schema.ts";

/** Texts by the name of their field; others are empty, as far as the schema allows that. */
const TEXTS: Readonly<Record<string, string>> = {
  address: "someone@example.com",
  client: "192.0.2.1",
  dsn: "2.0.0",
  name: "example.com",
  nexthop: "example.com",
  original: "someone@example.com",
  queue_id: "3CQ7fH1bqtz12",
  queueId: "3CQ7fH1bqtz12",
  recipient: "someone@example.com",
  sender: "sender@example.com",
  service: "smtp",
  text: "a stub's answer",
  transport: "smtp",
};

/** Where a message came from. */
const CLIENT: Readonly<Record<string, string>> = { name: "localhost", address: "127.0.0.1" };
/** Fields that are a time: now. */
const TIMES: ReadonlySet<string> = new Set(["arrived", "activeAt"]);

/** As TypeBox writes schemas. */
interface Schema {
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly TSchema[];
  readonly properties?: Readonly<Record<string, TSchema>>;
  readonly required?: readonly string[];
  readonly items?: TSchema;
  readonly minItems?: number;
  readonly minimum?: number;
  readonly maxLength?: number;
}

/** A value that the schema accepts; `field` is the name of the field that it is for. Lists of addresses have one entry. */
export function sample(schema: TSchema, field = ""): unknown {
  const { type, anyOf, enum: words, ...rest } = schema as Schema;
  if ("const" in rest) return rest.const;
  if (words) return words[0];
  if (anyOf) return sample(anyOf[0]!, field);
  switch (type) {
    case "object":
      return Object.fromEntries(
        (rest.required ?? []).map((name) => {
          const text = field === "client" ? CLIENT[name] : undefined;
          return [name, text ?? sample(rest.properties![name]!, name)];
        }),
      );
    case "array": {
      const count = Math.max(rest.minItems ?? 0, field === "recipients" ? 1 : 0);
      return Array.from({ length: count }, () => sample(rest.items!, field));
    }
    case "string":
      return (TEXTS[field] ?? "").slice(0, rest.maxLength);
    case "integer":
    case "number":
      return TIMES.has(field) ? Date.now() : rest.minimum ?? 0;
    case "boolean":
      return false;
  }
  return null;
}
