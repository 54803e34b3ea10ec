import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { ConfigError } from "../errors.ts";
import { assertQuick, attempt, near } from "../../tests/support/hostile.ts";
import { policies } from "../../policies/mod.ts";
import { logging } from "./global.ts";
import { catalogue, parametersOf, postfixDefault, splitTransport } from "./mod.ts";

Deno.test("each parameter is declared once in the whole project", () => {
  const declared = new Map<string, unknown>();
  const twice = new Set<string>();
  const names = ["supervisor", "sendmail", ...policies.map(({ role }) => role)];
  for (const parameter of names.flatMap((role) => Object.values(parametersOf(role)))) {
    const earlier = declared.get(parameter.name) ?? parameter;
    if (earlier !== parameter) twice.add(parameter.name);
    declared.set(parameter.name, parameter);
  }
  assertEquals([...twice], []);
});

Deno.test("each doc of a parameter is a sentence", () => {
  for (const { name, doc } of catalogue.values()) assert(/^\S.*\.$/.test(doc), `${name}: ${doc}`);
});

Deno.test("each parameter is Postfix's, or is marked as this project's own", () => {
  for (const { name, own } of catalogue.values()) {
    assertEquals(postfixDefault(name) === undefined, own === true, name);
  }
});

Deno.test("parametersOf() adds those of the log, all that a role has that declares none", () => {
  assertEquals(parametersOf("dns")["syslogName"]?.name, "syslog_name");
  assertEquals(parametersOf("constructor"), { ...logging });
});

Deno.test("splitTransport() finds the transport that a name is about", () => {
  const transports = new Set(["smtp", "my_slow", "x-y"]);
  const split = (name: string) => {
    const found = splitTransport(name, transports);
    return found && [found.transport, found.suffix, found.fallback];
  };
  assertEquals(split("smtp_destination_recipient_limit"), [
    "smtp",
    "_destination_recipient_limit",
    "$default_destination_recipient_limit",
  ]);
  assertEquals(split("my_slow_destination_rate_delay")?.[0], "my_slow");
  assertEquals(split("x-y_process_count")?.[2], "$default_process_count");
  assertEquals(split("x-y_time_limit")?.[2], "$command_time_limit");
  assertEquals(split("relay_destination_rate_delay"), undefined);
  assertEquals(split("smtp_no_such_thing"), undefined);
});

Deno.test("every parameter has a value or ConfigError for any text", () => {
  const parts = [
    "yes",
    "1",
    "5s",
    "a",
    ":",
    "/",
    "{",
    "}",
    "[",
    "]",
    " ",
    ",",
    "hash:/x",
    "!",
    "=",
    "permit",
  ];
  const all = [...catalogue.values()];
  fc.assert(
    fc.property(near(...parts), fc.constantFrom(...all), (text, { parse, suffix, caution }) => {
      attempt(() => parse(suffix ? JSON.stringify({ "": text }) : text), ConfigError);
      assert(typeof caution?.(text) !== "number");
    }),
    { numRuns: 2000 },
  );
});

Deno.test("splitTransport() finds one of the transports or nothing in any name, in time", () => {
  const transports = new Set(["smtp", "a_b", "__proto__", "constructor"]);
  const parts = [...transports, "_", "destination_concurrency_limit", "initial", "x"];
  fc.assert(fc.property(near(...parts), (name) => {
    const found = splitTransport(name, transports);
    if (!found) return;
    assert(transports.has(found.transport));
    assertEquals(found.transport + found.suffix, name);
  }));
  assertQuick((name) => splitTransport(name, transports), ["_", "a_", "smtp_", "__proto__"]);
});
