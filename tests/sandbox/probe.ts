/**
 * Started in a role's place: tries everything in its argument and prints what became of each attempt, as JSON.
 * `refused` is Deno's NotCapable or the kernel's no; `done` means that the attempt succeeded.
 */

import { connect } from "node:net";

/** One thing to try; `target` is a path, an address or a program. */
export interface Attempt {
  readonly name: string;
  readonly how: keyof typeof TRIES;
  readonly target: string;
}

export interface Result {
  readonly name: string;
  readonly result: "done" | "refused";
  readonly error: string;
}

const TRIES = {
  read: (path: string) => Deno.readTextFile(path),
  list: (path: string) => Array.fromAsync(Deno.readDir(path)),
  write: (path: string) => Deno.writeTextFile(path, "probe"),
  remove: (path: string) => Deno.remove(path),
  environment: (name: string) => Promise.resolve().then(() => Deno.env.get(name)),
  run: (program: string) => Promise.resolve().then(() => new Deno.Command(program).output()),
  listen: (port: string) =>
    Promise.resolve().then(() =>
      Deno.listen({ hostname: "127.0.0.1", port: Number(port) }).close()
    ),
  library: (path: string) => Promise.resolve().then(() => Deno.dlopen(path, {}).close()),
  tcp: (address: string) =>
    reach({ host: address.split(":")[0]!, port: Number(address.split(":")[1]) }),
  unix: (path: string) => reach({ path }),
} satisfies Record<string, (target: string) => Promise<unknown>>;

function reach(where: { host: string; port: number } | { path: string }): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(where);
    socket.setTimeout(2000, () => reject(new Error("timed out")));
    socket.on("connect", () => {
      socket.destroy();
      resolve();
    });
    socket.on("error", reject);
  });
}

if (import.meta.main) {
  const results: Result[] = [];
  for (const { name, how, target } of JSON.parse(Deno.args[0]!) as Attempt[]) {
    try {
      await TRIES[how](target);
      results.push({ name, result: "done", error: "" });
    } catch (error) {
      results.push({
        name,
        result: "refused",
        error: `${(error as Error).name}: ${(error as Error).message}`,
      });
    }
  }
  console.log(JSON.stringify(results));
  Deno.exit(0);
}
