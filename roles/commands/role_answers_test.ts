/** Stubs are made from what the protocols declare: each answer and each sample is of the declared shape. */

import { assert, assertEquals } from "@std/assert";
import { Compile } from "typebox/schema";
import type { TSchema } from "../../shared/ipc/schema.ts";
import { policies } from "../../policies/mod.ts";
import { serviceNamed } from "../../shared/protocols/mod.ts";
import { answerOf } from "./role_answers.ts";
import { exampleOf, type Fields, requestOf } from "./role_requests.ts";

const names = new Set([...policies.flatMap((row) => [...row.calls, ...row.answers]), "log"]);

for (const service of [...names].map(serviceNamed)) {
  for (const [name, call] of Object.entries(service.calls)) {
    Deno.test(`a stub's answer to ${service.name}.${name} is of the declared shape`, () => {
      const request = requestOf(service.name, name, call, {}, "", "[127.0.0.1]:2526");
      const fits = (schema: TSchema, value: unknown) =>
        assert(Compile(schema).Check(value), JSON.stringify(value));
      fits(call.request, request);
      // What a person is shown as an example can be typed.
      const example = JSON.parse(exampleOf(service.name, name, call));
      fits(call.request, requestOf(service.name, name, call, example, ""));
      fits(call.reply, answerOf(service.name, name, call, request, { uid: 1, gid: 1 }));
    });
  }
}

Deno.test("serviceNamed() takes an unknown name for a transport", () => {
  assertEquals(Object.keys(serviceNamed("relay").calls), ["deliver"]);
});

/** A report as a person asks for it. */
function report(given: Fields) {
  const { calls } = serviceNamed("bounce");
  const request = requestOf("bounce", "report", calls["report"]!, given, "content");
  assert(Compile(calls["report"]!.request).Check(request), JSON.stringify(request));
  // deno-lint-ignore no-explicit-any
  return request as any;
}

for (
  const [kind, status] of [
    ["failure", "bounced"],
    ["delay", "deferred"],
    ["success", "sent"],
    ["trace", "sent"],
  ] as const
) {
  Deno.test(`a sample ${kind} report is about a recipient that was ${status}`, () => {
    const { kind: kept, recipients: [{ outcome }], size } = report({ kind });
    assertEquals([kept, outcome.status, size], [kind, status, 7]);
    assertEquals(outcome.dsn[0], { bounced: "5", deferred: "4", sent: "2" }[status]);
  });
}

Deno.test("what a person gives changes the sample where it says so, and nothing beside it", () => {
  const { envelope, recipients } = report({
    envelope: { sender: "" },
    recipients: [{ address: "a@x" }, { outcome: { dsn: "5.0.0" } }],
  });
  assertEquals([envelope.sender, envelope.client.name], ["", "localhost"]);
  assertEquals(recipients.map(({ address }: { address: string }) => address), [
    "a@x",
    "someone@example.com",
  ]);
  assertEquals(recipients[1].outcome, { ...recipients[0].outcome, dsn: "5.0.0" });
  const { calls } = serviceNamed("smtp"), given = { recipients: [{}, {}] };
  const delivery = requestOf("smtp", "deliver", calls["deliver"]!, given, "", "[127.0.0.1]:9");
  assertEquals((delivery["recipients"] as { n: number }[]).map(({ n }) => n), [0, 1]);
  assertEquals(delivery["nexthop"], "[127.0.0.1]:9");
});
