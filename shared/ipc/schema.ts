/**
 * The shapes of what passes between processes: JSON Schema, with the names and types of TypeBox. Its own builder would load
 * three hundred modules into every role, a quarter of its start; its check (`typebox/schema`) takes plain schemas too.
 */

import type TypeBox from "typebox";
import type { TObject, TProperties, TSchema } from "typebox";

export type { Static, TSchema } from "typebox";

/** Marks a field that may be missing. */
const OPTIONAL = Symbol("optional");

type Options = Record<string, unknown>;
type Built =
  | "Array"
  | "Boolean"
  | "Enum"
  | "Integer"
  | "Literal"
  | "Null"
  | "Number"
  | "Optional"
  | "Record"
  | "String"
  | "Union";

/** As in TypeBox, of which only these are used. */
export const Type = {
  Array: (items: TSchema, options?: Options) => ({ type: "array", items, ...options }),
  Boolean: () => ({ type: "boolean" }),
  Enum: (values: readonly string[]) => ({ enum: values }),
  Integer: (options?: Options) => ({ type: "integer", ...options }),
  Literal: (value: string | number | boolean) => ({ type: typeof value, const: value }),
  Null: () => ({ type: "null" }),
  Number: (options?: Options) => ({ type: "number", ...options }),
  Optional: (schema: TSchema) => ({ ...schema, [OPTIONAL]: true }),
  Record: (propertyNames: TSchema, additionalProperties: TSchema, options?: Options) => ({
    type: "object",
    propertyNames,
    additionalProperties,
    ...options,
  }),
  String: (options?: Options) => ({ type: "string", ...options }),
  Union: (anyOf: readonly TSchema[]) => ({ anyOf }),
} as unknown as Pick<typeof TypeBox, Built>;

/** An object with exactly these fields: extra ones, `__proto__` among them, are refused. */
export function shape<const T extends TProperties>(properties: T): TObject<T> {
  const names = Object.keys(properties);
  const required = names.filter((name) => !(OPTIONAL in properties[name]!));
  const schema = { type: "object", required, properties };
  // Where all are required TypeBox counts the fields; else it would try each name against a regular expression.
  const closed = required.length === names.length
    ? { additionalProperties: false }
    : { propertyNames: { enum: names } };
  return { ...schema, ...closed } as unknown as TObject<T>;
}

/** Text of one line: no control character can reach a log line, a header or a reply through it. */
export function line(maxLength: number) {
  return Type.String({ maxLength, pattern: "^[^\\u0000-\\u001f\\u007f]*$" });
}

/** A whole number from 0. */
export function count(maximum = Number.MAX_SAFE_INTEGER) {
  return Type.Integer({ minimum: 0, maximum });
}
