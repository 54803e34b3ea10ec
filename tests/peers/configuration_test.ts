/** Postfix's own readers of tables and main.cf against ours. */

import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { loadConfiguration } from "../../shared/config/configuration.ts";
import { setSink } from "../../shared/log/log.ts";
import { openTable } from "../../shared/table/table.ts";
import "../../shared/table/types.ts";
import { peerTest, run } from "../support/peers.ts";
import { MAIN_VALUES, TABLES } from "./configuration_cases.ts";

/** How many of Postfix's commands run at a time. */
const AT_A_TIME = 4;

/** A directory with a main.cf, so that nothing depends on how Postfix is configured here. */
async function directory(main = ""): Promise<string> {
  const path = await Deno.makeTempDir({ prefix: "postern-peer-" });
  // With a name in it, Postfix does not ask a name server for that of the host.
  const text = `compatibility_level = 3.6\nmyhostname = mx.example.com\n${main}`;
  await Deno.writeTextFile(join(path, "main.cf"), text);
  await Deno.writeTextFile(join(path, "master.cf"), "smtp unix - - n - - smtp\n");
  return path;
}

/** What postmap finds under each key that is there. */
async function postmap(program: string, path: string, spec: string, keys: readonly string[]) {
  const input = keys.map((key) => `${key}\n`).join("");
  const out = await run(program, ["-c", path, "-q", "-", spec], { input, exits: [0, 1] });
  const lines = out.split("\n").filter((line) => line.includes("\t"));
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf("\t")), line.slice(line.indexOf("\t") + 1)]),
  );
}

async function compare(program: string, path: string, at: number): Promise<void> {
  const { type, source, keys } = TABLES[at]!;
  const file = join(path, `table${at}`);
  await Deno.writeTextFile(file, source);
  const spec = `${type}:${file}`, table = openTable(spec);
  const ours = keys.map((key) => [key, table.lookup(key)]).filter(([, value]) => value !== null);
  const theirs = await postmap(program, path, spec, keys);
  assertEquals(Object.fromEntries(ours), theirs, `${type} with ${JSON.stringify(source)}`);
}

peerTest("tables have under every key what postmap finds there", ["postmap"], async (peers) => {
  setSink(() => {});
  const path = await directory();
  const left = TABLES.keys();
  await Promise.all(Array.from({ length: AT_A_TIME }, async () => {
    for (const at of left) await compare(peers.postmap, path, at);
  }));
  await Deno.remove(path, { recursive: true });
});

peerTest("values of main.cf expand to what postconf prints", ["postconf"], async (peers) => {
  const names = MAIN_VALUES.map((_, at) => `v${at}`);
  const path = await directory([
    ...["one = 1", "empty =", "refers = $empty", "level = 3.6"],
    ...MAIN_VALUES.map((value, at) => `v${at} = ${value}`),
    `smtpd_banner = $one ${names.map((name) => `$${name}`).join(" ")}\n`,
  ].join("\n"));
  const out = await run(peers.postconf, ["-c", path, "-hx", ...names]);
  const facts = { hostname: "mx.example.com", repository: path, version: "1.2.3" };
  const configuration = loadConfiguration(path, facts);
  const ours = names.map((name) =>
    configuration.value(name).split(/\s+/).filter(Boolean).join(" ")
  );
  const show = (values: readonly string[]) => values.map((value, at) => [MAIN_VALUES[at], value]);
  assertEquals(show(ours), show(out.trimEnd().split("\n")));
  await Deno.remove(path, { recursive: true });
});
