/** The copy of the runtime: nobody's is removed but that of the dead. */

import { assertEquals, assertThrows } from "@std/assert";
import { join } from "@std/path";
import { namesIn } from "../../tests/support/files.ts";
import { until } from "../../tests/support/waiting.ts";
import { removeLeftStages, stageRuntime } from "./stage.ts";

/** A directory for stages, and a runtime of a few bytes. */
class Place implements Disposable {
  readonly directory = Deno.makeTempDirSync({ prefix: "postern-stage-" });
  readonly parent = join(this.directory, "tmp");
  readonly runtime = {
    deno: join(this.directory, "deno"),
    standalone: true,
    cache: "",
    source: "",
    libraries: [],
    setpriv: undefined,
  };

  constructor() {
    Deno.mkdirSync(this.parent);
    Deno.writeTextFileSync(this.runtime.deno, "program");
    Deno.chmodSync(this.runtime.deno, 0o700);
  }

  /** A stage as a killed supervisor leaves it. */
  left(name = "postern-runtime-left"): string {
    const stage = join(this.parent, name);
    Deno.mkdirSync(stage, { mode: 0o755 });
    for (const file of ["lock", "deno"]) Deno.writeTextFileSync(join(stage, file), "");
    return stage;
  }

  names(): string[] {
    return namesIn(this.parent).toSorted();
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.directory, { recursive: true });
  }
}

Deno.test("stageRuntime() copies to where any user can read, and takes it away again", () => {
  using place = new Place();
  const stage = stageRuntime(place.runtime, place.parent);
  assertEquals(Deno.statSync(stage.runtime.deno).mode! & 0o777, 0o755);
  assertEquals(Deno.statSync(join(stage.runtime.deno, "../..")).mode! & 0o777, 0o755);
  stage[Symbol.dispose]();
  assertEquals(place.names(), []);
});

Deno.test("stageRuntime() leaves nothing when it fails", () => {
  using place = new Place();
  Deno.removeSync(place.runtime.deno);
  assertThrows(() => stageRuntime(place.runtime, place.parent), Deno.errors.NotFound);
  assertEquals(place.names(), []);
});

Deno.test("removeLeftStages() removes what nobody uses, and nothing else", () => {
  using place = new Place();
  const stage = stageRuntime(place.runtime, place.parent);
  const used = stage.runtime.deno.split("/").at(-3)!;
  place.left();
  place.left("postern-queue");
  // Only being made: there is no lock yet.
  Deno.mkdirSync(join(place.parent, "postern-runtime-new"));
  Deno.chmodSync(place.left("postern-runtime-open"), 0o777);
  const elsewhere = join(place.directory, "elsewhere");
  Deno.renameSync(place.left("postern-runtime-link"), elsewhere);
  Deno.symlinkSync(elsewhere, join(place.parent, "postern-runtime-link"));
  Deno.writeTextFileSync(join(place.parent, "postern-runtime-file"), "");
  const kept = place.names().filter((name) => name !== "postern-runtime-left");
  removeLeftStages(place.parent);
  assertEquals(place.names(), kept);
  assertEquals([kept.includes(used), namesIn(elsewhere).toSorted()], [true, ["deno", "lock"]]);
  stage[Symbol.dispose]();
});

Deno.test({
  name: "removeLeftStages() leaves other users' directories alone (as root)",
  ignore: Deno.uid() !== 0,
  fn() {
    using place = new Place();
    Deno.chownSync(place.left(), 65534, 65534);
    removeLeftStages(place.parent);
    assertEquals(place.names(), ["postern-runtime-left"]);
  },
});

Deno.test("removeLeftStages() does nothing where others can exchange directories", () => {
  using place = new Place();
  place.left();
  Deno.chmodSync(place.parent, 0o777);
  removeLeftStages(place.parent);
  assertEquals(place.names(), ["postern-runtime-left"]);
  Deno.chmodSync(place.parent, 0o1777);
  removeLeftStages(place.parent);
  assertEquals(place.names(), []);
});

Deno.test("a stage is in use until its process is killed", async () => {
  using place = new Place();
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "eval",
      `const { stageRuntime } = await import(${JSON.stringify(import.meta.resolve("./stage.ts"))});
      stageRuntime(${JSON.stringify(place.runtime)}, ${JSON.stringify(place.parent)});
      Deno.writeTextFileSync(${JSON.stringify(join(place.directory, "ready"))}, "");
      setInterval(() => {}, 1000);`,
    ],
    cwd: new URL("../..", import.meta.url).pathname,
  }).spawn();
  await until(() => namesIn(place.directory).includes("ready"), 30_000);
  removeLeftStages(place.parent);
  assertEquals(place.names().length, 1);
  child.kill("SIGKILL");
  await child.status;
  removeLeftStages(place.parent);
  assertEquals(place.names(), []);
});
