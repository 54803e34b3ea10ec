/** A queue that belongs to another user than the one qmgr would run as: nothing starts on it, and nothing of it changes. */

import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { System } from "../support/system.ts";

/** A user whose the queue is not. */
const OTHER = "daemon";

/** Every owner in the queue. */
async function owners(path: string): Promise<(number | null)[]> {
  const found = [(await Deno.lstat(path)).uid];
  for (const { name, isDirectory } of Deno.readDirSync(path)) {
    if (isDirectory) found.push(...await owners(`${path}/${name}`));
    else found.push((await Deno.lstat(`${path}/${name}`)).uid);
  }
  return found;
}

Deno.test({
  name:
    "check and serve refuse a queue of another user in one sentence, and leave it to him; reload, another user",
  ignore: Deno.uid() !== 0,
  async fn() {
    await using system = await System.start();
    await system.configure({ main: `mail_owner = ${OTHER}` });
    const refused = (command: string, sentence: RegExp) =>
      assertRejects(() => system.command([command]), Error).then(({ message }) => {
        const said = message.split("\n").filter((line) => sentence.test(line));
        assertEquals(said.length, 1, message);
        assertMatch(message, /exit 78/);
      });
    const ofNobody = new RegExp(
      `queue_directory: ${system.queue}/queue belongs to nobody, not to ${OTHER}: set mail_owner = nobody, ` +
        `or chown -R ${OTHER} ${system.queue}/queue ${system.queue}/maildrop$`,
    );
    await refused("reload", /mail_owner: cannot change while the system runs: stop and start it$/);
    await refused("check", ofNobody);
    await system.send("u1@box.test");
    await system.stop();
    const before = await owners(system.queue);
    await refused("serve", ofNobody);
    assertEquals(await owners(system.queue), before);

    // As it would be had this user started it.
    await new Deno.Command("chown", { args: ["-R", OTHER, system.queue] }).output();
    const ofOther = new RegExp(
      `queue_directory: ${system.queue} belongs to ${OTHER}, not to root: start as ${OTHER}, ` +
        `or chown -R root ${system.queue} && chown -R ${OTHER} `,
    );
    await refused("serve", ofOther);
    // Not even the directories have become root's.
    assertEquals(new Set(await owners(system.queue)).size, 1);

    // What the sentence says does.
    await new Deno.Command("chown", { args: ["-R", "root", system.queue] }).output();
    const inner = ["queue", "maildrop"].map((name) => `${system.queue}/${name}`);
    await new Deno.Command("chown", { args: ["-R", OTHER, ...inner] }).output();
    await system.start();
    await system.send("u1@box.test");
  },
});
