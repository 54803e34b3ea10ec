import { assertEquals } from "@std/assert";
import { overlapProblem } from "./overlap.ts";

const OWN = "which is the queue's own: choose another place";
const AROUND = "choose a directory that does not";

for (
  const [path, expected] of [
    ["/mail", undefined],
    ["/q/mail", undefined],
    ["/q-mail", undefined],
    ["/q", `/q contains the queue, /q: ${AROUND}`],
    ["/q/queue", `/q/queue lies in /q/queue, ${OWN}`],
    ["/q/queue/queue.db", `/q/queue/queue.db lies in /q/queue, ${OWN}`],
    ["/q/private/x", `/q/private/x lies in /q/private, ${OWN}`],
    ["/link", `/link lies in /q/queue, ${OWN}`],
    ["/link/not/there", `/link/not/there lies in /q/queue, ${OWN}`],
    ["", ` contains the queue, /q: ${AROUND}`],
  ] as const
) {
  Deno.test(`overlapProblem() of ${path || "what is above"}: ${expected ?? "none"}`, () => {
    const top = Deno.realPathSync(Deno.makeTempDirSync());
    try {
      Deno.mkdirSync(`${top}/q/queue`, { recursive: true });
      Deno.symlinkSync("q/queue", `${top}/link`);
      const said = overlapProblem(top + path, `${top}/q`);
      assertEquals(said?.replaceAll(top, ""), expected);
    } finally {
      Deno.removeSync(top, { recursive: true });
    }
  });
}

Deno.test("overlapProblem() of / is that it contains everything", () => {
  assertEquals(overlapProblem("/", "/q"), `/ contains the queue, /q: ${AROUND}`);
});
