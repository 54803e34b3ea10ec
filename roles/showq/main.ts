/**
 * showq - show the queue to people.
 *
 * Lists all messages for postqueue and mailq; a long listing flows as a stream,
 * while qmgr goes on writing. What is in a message it never shows.
 *
 * Trusts   nobody: any local user may ask; it answers, and changes nothing.
 * Talks to nobody; answers showq.
 * Keeps    nothing: it reads queue.db, which is qmgr's.
 * Fails    a queue that cannot be read ends that request; the next one opens it anew.
 */

import { answer, ANY_USER, Streamed } from "../../shared/ipc/server.ts";
import { databaseDirectory } from "../../shared/layout.ts";
import { showqParameters } from "../../shared/parameters/showq.ts";
import { showqService } from "../../shared/protocols/queue.ts";
import { listingBytes } from "../../shared/queue/show.ts";
import { openReader } from "../../shared/queue/sqlite_reader.ts";
import { role } from "../../shared/role/role.ts";

/** Each listing holds the database open, and one of a million messages takes more than a minute. */
const CALLERS = { ...ANY_USER, conversations: 1, drainMs: 120_000 };

role({
  name: "showq",
  parameters: showqParameters,
  start({ params }) {
    const directory = databaseDirectory(params.queueDirectory);
    return { answers: [answer(showqService, { list }, CALLERS)] };

    // deno-lint-ignore require-await
    async function list() {
      return new Streamed({}, listing());
    }

    async function* listing(): AsyncGenerator<Uint8Array> {
      const reader = openReader(directory);
      try {
        yield* listingBytes(reader.list());
      } finally {
        await reader.close();
      }
    }
  },
});
