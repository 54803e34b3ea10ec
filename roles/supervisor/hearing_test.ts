import { assertEquals } from "@std/assert";
import { Stage } from "../../tests/support/ipc.ts";
import { until } from "../../tests/support/waiting.ts";
import { Hearing, knock } from "./hearing.ts";
import type { Member } from "./member.ts";

const member = (quiet: string[] | undefined, state = "ready") => ({ quiet, state }) as Member;

/** What is found at each heartbeat, given what the processes say; and how often somebody knocked. */
function found(...beats: Member[][]): [(string | undefined)[], number] {
  let knocks = 0;
  const hearing = new Hearing(() => knocks++);
  return [beats.map((members) => hearing.deafTo(["a", "b"], members)), knocks];
}

/** Another process than `quiet`, which says the same. */
const fresh = [member(["a", "b"])];
const quiet = [member(["b"])], heard = [member([])], late = [member(undefined)];

Deno.test("deafTo() knocks twice before it says that a service is deaf", () => {
  assertEquals(found(quiet, quiet, quiet), [[undefined, undefined, "b"], 2]);
});

Deno.test("deafTo() begins anew when somebody was let in, and knocks only where nobody came", () => {
  assertEquals(found(quiet, quiet, heard, heard, quiet), [Array(5).fill(undefined), 3]);
});

Deno.test("deafTo() waits for a process that has not answered, and for one that starts", () => {
  assertEquals(found(quiet, quiet, late, [], [member(["b"], "starting")]), [
    Array(5).fill(undefined),
    2,
  ]);
});

Deno.test("deafTo() lets processes share a socket, whoever of them takes what comes", () => {
  assertEquals(found(...Array(5).fill([member(["b"]), member([])])), [Array(5).fill(undefined), 0]);
  const draining = [member(["b"]), member([], "draining")];
  assertEquals(found(draining, draining, draining), [[undefined, undefined, "b"], 2]);
});

Deno.test("deafTo() holds nothing against a process that another did not hear, of no service", () => {
  const deaf = [member(["a", "b"])];
  const draining = [{ ...deaf[0]!, state: "draining" } as Member, ...fresh];
  assertEquals(found(deaf, deaf, fresh, fresh), [Array(4).fill(undefined), 8]);
  assertEquals(found(deaf, deaf, draining, fresh), [Array(4).fill(undefined), 8]);
  // Of both services: the second is not left for whoever comes next.
  assertEquals(found(deaf, deaf, deaf, fresh, fresh, fresh), [
    [undefined, undefined, "a", undefined, undefined, "a"],
    8,
  ]);
});

Deno.test("knock() connects and leaves, and does not mind that nobody is there", async () => {
  await using stage = new Stage();
  knock(stage.directory);
  let left = 0;
  await stage.listen((socket) => socket.resume().on("close", () => left++));
  knock(stage.path);
  await until(() => left === 1);
});
