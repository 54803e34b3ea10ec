import { createServer } from "node:net";
import { assertEquals } from "@std/assert";
import { answer } from "../../shared/ipc/server.ts";
import { controlService } from "../../shared/protocols/control.ts";
import { fakeIo } from "../../tests/support/fake_io.ts";
import { status } from "./control.ts";

Deno.test("status says nothing when nobody reads on", async () => {
  const io = fakeIo();
  const nothing = () => Promise.reject(new Error("not asked"));
  const answerer = answer(controlService, {
    status: () => Promise.resolve({ layers: "none", services: [] }),
    reload: nothing,
    stop: nothing,
    want: nothing,
  });
  const server = createServer((socket) => answerer.attach(socket));
  const directory = `${io.queueDirectory}/public/control`;
  Deno.mkdirSync(directory);
  await new Promise<void>((done) => server.listen(`${directory}/s`, done));
  try {
    const out = () => {
      throw new Deno.errors.BrokenPipe("Broken pipe (os error 32)");
    };
    assertEquals([await status([], { ...io, out }), io.written.err], [0, ""]);
  } finally {
    await new Promise((done) => server.close(done));
    io.remove();
  }
});
