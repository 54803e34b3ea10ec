import { assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import { PeerError, StorageError } from "../../shared/errors.ts";
import { Seals } from "./seals.ts";

const ID = "4dXyZ12345z1";

Deno.test("of() gives half of a digest of key, queue id and recipients", () => {
  const seals = new Seals(new Uint8Array(32));
  // printf '%064d 4dXyZ12345z1 0 1' 0 | sha256sum | cut -c -32
  assertEquals(seals.of(ID, [0, 1]), "859d8945c09c1739860d375282c9a3eb");
});

Deno.test("check() takes a seal for its own message and recipients alone", () => {
  const directory = Deno.makeTempDirSync();
  const seals = Seals.open(directory), seal = seals.of(ID, [0, 12]);
  seals.check({ queueId: ID, recipients: [0, 12], seal });
  for (
    const other of [
      { queueId: "4dXyZ12345z2", recipients: [0, 12], seal },
      { queueId: ID, recipients: [0], seal },
      { queueId: ID, recipients: [0, 1, 2], seal },
      { queueId: ID, recipients: [12, 0], seal },
      { queueId: ID, recipients: [0, 12], seal: "" },
      { queueId: ID, recipients: [], seal },
    ]
  ) assertThrows(() => seals.check(other), PeerError);
  Deno.removeSync(directory, { recursive: true });
});

Deno.test("open() keeps the key of a queue, with nobody else's eyes on it", () => {
  const directory = Deno.makeTempDirSync(), other = Deno.makeTempDirSync();
  const seal = Seals.open(directory).of(ID, [0]);
  assertEquals(Deno.statSync(`${directory}/seal.key`).mode! & 0o777, 0o600);
  Seals.open(directory).check({ queueId: ID, recipients: [0], seal });
  assertNotEquals(Seals.open(other).of(ID, [0]), seal);
  // Its writer died.
  Deno.truncateSync(`${directory}/seal.key`, 3);
  assertNotEquals(Seals.open(directory).of(ID, [0]), seal);
  for (const each of [directory, other]) Deno.removeSync(each, { recursive: true });
});

Deno.test("open() says which file it cannot make", () => {
  const error = assertThrows(() => Seals.open("/nonexistent"), StorageError);
  assertEquals(error.message.startsWith("/nonexistent/seal.key: "), true);
});
