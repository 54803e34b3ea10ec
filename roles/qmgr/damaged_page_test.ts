/** One page of the database cannot be read or written any more: that stops the messages on it, and no others. */

import { assert, assertEquals } from "@std/assert";
import { all, deferred, resolvedTo, sent, World } from "./test_world.ts";
import { countsOf } from "../../tests/support/queue_counts.ts";

const PAGE_BYTES = 4096;
/** Fills several pages of its own. */
const LARGE = new Uint8Array(32 * 1024).fill(0x41);

/** A queue in which mail waits, one message of it large; with that one's id. */
async function waiting(): Promise<{ directory: string; large: string }> {
  await using world = await World.open({ agent: (request) => all(request, deferred) });
  await world.enqueue(["a@x"]);
  const large = await world.enqueue(["b@x"], { content: LARGE });
  await world.enqueue(["c@x"]);
  await world.until(async () => {
    const { deferred } = await countsOf(world.store);
    return deferred === 3;
  });
  await world.store.close();
  return { directory: world.crash(), large };
}

/** Overwrites where the pages of the large content are chained. */
function damage(directory: string): void {
  const path = `${directory}/queue.db`;
  const database = Deno.readFileSync(path);
  const isContent = (at: number) =>
    [100, 2000, 4000].every((offset) => database[at + offset] === LARGE[0]);
  let pages = 0;
  for (let at = PAGE_BYTES; at < database.length; at += PAGE_BYTES) {
    if (isContent(at) && ++pages === 5) database.set([0x7f, 0xff, 0xff, 0xff], at);
  }
  assert(pages > 5, `${pages} pages`);
  Deno.writeFileSync(path, database);
}

for (
  const [what, transport] of [
    ["read", "smtp"],
    // Nobody looks at the content of what is discarded.
    ["removed", "discard"],
  ] as const
) {
  Deno.test(`a message that cannot be ${what} goes to corrupt, all others go on`, async () => {
    const { directory, large } = await waiting();
    damage(directory);
    await using world = await World.open({
      directory,
      resolve: (address) => resolvedTo(transport, "x", address),
      agent: (request) => all(request, sent),
    });
    await world.enqueue(["d@x"]);
    await world.flush.call("flush", { id: "", site: "" });
    await world.untilIn(large, "corrupt");
    await world.enqueue(["e@x"]);
    await world.until(async () => {
      const { corrupt, ...others } = await countsOf(world.store);
      return corrupt === 1 && Object.values(others).every((count) => count === 0);
    });
    const lines = world.log.filter((line) => line.startsWith("warning: "));
    assert(lines.every((line) => line.includes(large) || line.includes("damaged")), lines.join());
    const { sent: delivered } = await world.store.tally(large);
    assertEquals(delivered, transport === "discard" ? 1 : 0);
  });
}

Deno.test("a page of messages that cannot be read stops neither the start, nor messages beside it, nor a listing", async () => {
  await using world = await World.open({
    agent: () => new Promise(() => {}),
    params: { qmgrMessageActiveLimit: 50 },
  });
  // Half of them are active, half wait.
  const ids: string[] = [];
  for (let i = 0; i < 100; i++) ids.push(await world.enqueue([`a${i}@d${i}`]));
  world.qmgr.drainMs = 0;
  await world.store.close();
  const directory = world.crash();
  const lost = damageMessages(directory, ids);
  await using next = await World.open({ directory });
  await next.until(() => next.requests.length === ids.length - lost.length);
  await next.enqueue(["new@x"]);
  await next.until(() => next.qmgr.activeQueue.messages.size === 0);
  const delivered = new Set(next.requests.map(({ envelope }) => envelope.queueId));
  assertEquals(ids.filter((id) => !delivered.has(id)), lost);
  // Delivered ones whose page would have to be joined with a damaged one are there, too.
  const listed = await Array.fromAsync(next.store.list());
  const corrupt = new Set(listed.map(({ queue_name, queue_id }) => `${queue_name} ${queue_id}`));
  assertEquals(lost.filter((id) => !corrupt.has(`corrupt ${id}`)), []);
  assert(listed.every(({ queue_name }) => queue_name === "corrupt"));
  assert(next.log.some((line) => line.includes(`${lost.length} messages cannot be read`)));
});

/** Damages two pages of messages, active and waiting ones; answers which are on them. */
function damageMessages(directory: string, ids: readonly string[]): string[] {
  const path = `${directory}/queue.db`;
  const database = Deno.readFileSync(path);
  const lost: string[] = [];
  for (const id of [ids[10]!, ids[80]!]) {
    for (let at = 0; at < database.length; at += PAGE_BYTES) {
      const page = new TextDecoder("latin1").decode(database.subarray(at, at + PAGE_BYTES));
      // A leaf of a table, with the envelope on it.
      if (database[at] !== 0x0d || !page.includes(`"queueId":"${id}"`)) continue;
      lost.push(...ids.filter((each) => page.includes(`"queueId":"${each}"`)));
      database[at] = 0xff;
    }
  }
  assert(lost.length > 2 && lost.length < ids.length / 2, `${lost.length} messages`);
  Deno.writeFileSync(path, database);
  return lost;
}
