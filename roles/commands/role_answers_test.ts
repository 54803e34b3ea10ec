/** Stubs are made from what the protocols declare: each answer and each sample is of the declared shape. */

import { assert, assertEquals } from "@std/assert";
import { Compile } from "typebox/compile";
import { policies } from "../../policies/mod.ts";
import type { TSchema } from "typebox";
import { serviceNamed } from "../../shared/protocols/mod.ts";
import { answerOf } from "./role_answers.ts";
import { sample } from "./role_sample.ts";

const names = new Set([...policies.flatMap((row) => [...row.calls, ...row.answers]), "log"]);

for (const service of [...names].map(serviceNamed)) {
  for (const [name, call] of Object.entries(service.calls)) {
    Deno.test(`a stub's answer to ${service.name}.${name} is of the declared shape`, () => {
      const request = sample(call.request);
      const fits = (schema: TSchema, value: unknown) =>
        assert(Compile(schema).Check(value), JSON.stringify(value));
      fits(call.request, request);
      fits(call.reply, answerOf(service.name, name, call, request, { uid: 1, gid: 1 }));
    });
  }
}

Deno.test("serviceNamed() takes an unknown name for a transport", () => {
  assertEquals(Object.keys(serviceNamed("relay").calls), ["deliver"]);
});
