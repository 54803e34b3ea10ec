import { assertEquals, assertRejects } from "@std/assert";
import { setSink } from "../../shared/log/log.ts";
import { turn, until } from "../../tests/support/waiting.ts";
import { MAX_FAILURES } from "./keeper.ts";
import { setup } from "./test_keeper.ts";

setSink(() => {});

Deno.test("Keeper keeps the old processes when only some of the new ones can be launched", async () => {
  const { children, keeper, plan, start } = setup({ count: 2 });
  await start();
  const launch = () => {
    if (children.length === 3) throw new Error("no more processes");
    return plan.launch({});
  };
  await assertRejects(() => keeper.replace({ ...plan, launch }), Error, "smtp: no more processes");
  assertEquals(keeper.status().pids, [100, 101]);
  await keeper.stop(100);
});

Deno.test("Keeper drains the old process only when the new one is ready", async () => {
  const { children, keeper, plan, start } = setup();
  await start();
  const replaced = keeper.replace({ ...plan });
  await turn();
  assertEquals(children.length, 2);
  assertEquals(children[0]!.heard.at(-1)!.type, "go");
  children[1]!.begin();
  await replaced;
  assertEquals(children[0]!.heard.at(-1), { type: "drain" });
  await turn();
  assertEquals(keeper.status().pids, [101]);
  await keeper.stop(100);
});

Deno.test("Keeper keeps the old process when the new one does not start", async () => {
  const { children, keeper, plan, start } = setup();
  await start();
  const replaced = assertRejects(() => keeper.replace({ ...plan }), Error, "smtp: bad restriction");
  await turn();
  children[1]!.say({ type: "fatal", text: "bad restriction", config: true });
  children[1]!.exit(78);
  await replaced;
  assertEquals(keeper.status().pids, [100]);
  assertEquals(keeper.status().state, "running");
  await keeper.stop(100);
});

Deno.test("Keeper reloads a role in place when there must be only one", async () => {
  const { children, keeper, plan, start } = setup({ fixed: "as it was" });
  await start();
  await keeper.replace({ ...plan });
  assertEquals(children.length, 1);
  assertEquals(children[0]!.heard.at(-1)!.type, "reload");
  await keeper.stop(100);
});

Deno.test("Keeper reloads a role that starts when it is ready, with what was asked for last", async () => {
  const { children, keeper, plan } = setup({ fixed: "as it was" });
  const started = keeper.start();
  const [child] = children;
  const { handover } = plan;
  for (const life of ["1d", "2d"]) {
    const start = { ...handover.start, parameters: { life } };
    await keeper.replace({ ...plan, handover: { ...handover, start } });
  }
  child!.begin();
  await started;
  assertEquals(child!.heard.map(({ type }) => type), ["listen", "start", "go", "reload"]);
  assertEquals((child!.heard.at(-1) as { parameters: unknown }).parameters, { life: "2d" });
  await keeper.stop(100);
});

Deno.test("Keeper ends the only one before it starts one with other rights", async () => {
  const { children, keeper, plan, start } = setup({ fixed: "as it was" });
  await start();
  const replaced = keeper.replace({ ...plan, fixed: "other rights" });
  await turn();
  assertEquals(children[0]!.heard.at(-1)!.type, "drain");
  assertEquals(keeper.status().restarts, 0);
  while (children.length < 2) await turn();
  children[1]!.begin();
  await replaced;
  assertEquals(keeper.status().pids, [101]);
  await keeper.stop(100);
});

Deno.test("Keeper starts the only one as before when the next one cannot even be launched", async () => {
  const { children, keeper, plan, start } = setup({ fixed: "as it was" });
  await start();
  const launch = () => {
    throw new Error("no such program");
  };
  const other = { ...plan, fixed: "other rights", launch };
  await assertRejects(() => keeper.replace(other), Error, "smtp: no such program");
  children[1]!.begin();
  assertEquals([keeper.plan.fixed, keeper.status().pids], ["as it was", [101]]);
  await keeper.stop(100);
});

Deno.test("Keeper starts no second one while the only one is replaced, whoever wants it", async () => {
  const { children, keeper, plan } = setup({ fixed: "as it was", onRequest: true });
  keeper.wanted();
  children[0]!.begin();
  const replaced = keeper.replace({ ...plan, fixed: "other rights" });
  keeper.wanted();
  await turn();
  keeper.wanted();
  while (children.length < 2) await turn();
  children[1]!.begin();
  await replaced;
  keeper.wanted();
  assertEquals([children.length, keeper.status().pids], [2, [101]]);
  await keeper.stop(100);
});

Deno.test("Keeper starts the only one as before when it does not start with other rights", async () => {
  const { children, keeper, plan, start } = setup({ fixed: "as it was" });
  await start();
  const other = { ...plan, fixed: "other rights" };
  const replaced = assertRejects(() => keeper.replace(other), Error, "smtp: no such table");
  while (children.length < 2) await turn();
  children[1]!.say({ type: "fatal", text: "no such table", config: true });
  children[1]!.exit(78);
  await replaced;
  children[2]!.begin();
  assertEquals([keeper.plan.fixed, keeper.status().pids], ["as it was", [102]]);
  await keeper.stop(100);
});

Deno.test("Keeper does not count processes that could not take over as deaths of the service", async () => {
  const { children, keeper, plan, start } = setup();
  await start();
  for (let n = 1; n <= MAX_FAILURES; n++) {
    const replaced = assertRejects(() => keeper.replace({ ...plan }), Error, "smtp: no such table");
    children[n]!.say({ type: "fatal", text: "no such table", config: true });
    children[n]!.exit(78);
    await replaced;
  }
  const { state, restarts, reason } = keeper.status();
  assertEquals([state, restarts, reason], ["running", 0, ""]);
  // Nor does the one that runs wait for its next when it dies.
  children[0]!.exit(1);
  await until(() => children.length > MAX_FAILURES + 1);
  await keeper.stop(100);
});

Deno.test("Keeper starts another when the old process dies while the next one, which cannot take over, starts", async () => {
  const { children, keeper, plan, start } = setup();
  await start();
  const replaced = assertRejects(() => keeper.replace({ ...plan }), Error, "smtp: no such table");
  const said: string[] = [];
  setSink((_severity, text) => said.push(text));
  children[0]!.exit(1);
  await until(() => said.includes("service smtp: starting smtpd again"));
  setSink(() => {});
  children[1]!.say({ type: "fatal", text: "no such table", config: true });
  children[1]!.exit(78);
  await replaced;
  await until(() => children.length > 2);
  children[2]!.begin();
  assertEquals(keeper.status().pids, [102]);
  await keeper.stop(100);
});
