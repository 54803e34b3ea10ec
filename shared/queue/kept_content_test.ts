import { assert, assertEquals, assertRejects } from "@std/assert";
import { Budget } from "../budget.ts";
import { concat } from "../bytes.ts";
import { StorageError } from "../errors.ts";
import { queueIdSource } from "../mail/queue_id.ts";
import { until } from "../../tests/support/waiting.ts";
import { setSink } from "../log/log.ts";
import { ContentFiles } from "./content_files.ts";
import { ContentFile, keepContent } from "./kept_content.ts";

setSink(() => {});
const KIB = 1024;
const nextId = queueIdSource();

/** Files in a directory of their own, and a budget of 200 KiB of which nobody is in need below 10 KiB. */
function test(title: string, run: (files: ContentFiles, budget: Budget) => Promise<void>): void {
  Deno.test(title, async () => {
    const directory = Deno.makeTempDirSync();
    const files = new ContentFiles(`${directory}/content`);
    files.prepare();
    try {
      await run(files, new Budget("test", 200 * KIB, 10 * KIB));
    } finally {
      Deno.removeSync(directory, { recursive: true });
    }
  });
}

async function* pieces(
  sizes: number[],
  then = () => Promise.resolve(),
): AsyncGenerator<Uint8Array> {
  for (const size of sizes) yield await Promise.resolve(new Uint8Array(size).fill(97));
  await then();
}

test(
  "keepContent() keeps content in memory while the budget lasts, and in files after that",
  async (files, budget) => {
    const held = Promise.withResolvers<void>(), sizes = [100 * KIB, 100 * KIB];
    const first = keepContent(nextId(), pieces(sizes, () => held.promise), files, budget);
    await until(() => budget.taken === 190 * KIB);
    const second = await keepContent(nextId(), pieces(sizes), files, budget);
    assert(second instanceof ContentFile);
    const parts: Uint8Array[] = [];
    for await (const part of files.read(second.queueId, second.size)) parts.push(part);
    assertEquals(concat(parts), new Uint8Array(200 * KIB).fill(97));
    assert(await keepContent(nextId(), pieces([9 * KIB]), files, budget) instanceof Uint8Array);

    held.resolve();
    assertEquals(await first, new Uint8Array(200 * KIB).fill(97));
    assertEquals(budget.taken, 0);
  },
);

test("keepContent() gives back what content took that breaks off", async (files, budget) => {
  for (const sizes of [[100 * KIB], [100 * KIB, 200 * KIB]]) {
    const broken = pieces(sizes, () => Promise.reject(new Error("lost connection")));
    await assertRejects(() => keepContent(nextId(), broken, files, budget), Error, "lost");
    assertEquals(budget.taken, 0);
  }
});

test("keepContent() ends its source where no file can be written", async (files, budget) => {
  Deno.removeSync(files.directory, { recursive: true });
  let ended = 0;
  async function* source() {
    try {
      yield* pieces([200 * KIB, 100 * KIB, 100 * KIB]);
    } finally {
      ended++;
    }
  }
  await assertRejects(() => keepContent(nextId(), source(), files, budget), StorageError);
  assertEquals([ended, budget.taken], [1, 0]);
});
