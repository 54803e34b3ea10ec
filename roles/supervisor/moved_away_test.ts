import { assertEquals } from "@std/assert";
import { movedAway } from "./moved_away.ts";

function within(test: (log: string) => void): void {
  const directory = Deno.makeTempDirSync();
  try {
    Deno.writeTextFileSync(`${directory}/maillog`, "");
    test(`${directory}/maillog`);
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

Deno.test("movedAway() sees another file, not another content", () =>
  within((log) => {
    const moved = movedAway(log);
    assertEquals(moved(), false);
    Deno.writeTextFileSync(log, "a line\n", { append: true });
    Deno.truncateSync(log);
    assertEquals(moved(), false);
    Deno.renameSync(log, `${log}.1`);
    Deno.writeTextFileSync(log, "");
    assertEquals(moved(), true);
  }));

Deno.test("movedAway() leaves who moves the log the time to make the next one", () =>
  within((log) => {
    const moved = movedAway(log);
    Deno.renameSync(log, `${log}.1`);
    assertEquals(moved(), false);
    Deno.renameSync(`${log}.1`, log);
    assertEquals(moved(), false);
    Deno.removeSync(log);
    assertEquals(moved(), false);
    assertEquals(moved(), true);
  }));

Deno.test("movedAway() of what was not there, and is not, sees nothing", () => {
  const moved = movedAway("/nonexistent/maillog");
  assertEquals([moved(), moved()], [false, false]);
});
