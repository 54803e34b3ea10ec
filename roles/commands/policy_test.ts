import { assertStringIncludes } from "@std/assert";
import { fakeIo } from "../../tests/support/fake_io.ts";
import { policy } from "./policy.ts";

Deno.test("policy shows the layers that sandbox asks for, in whatever case", async () => {
  const io = fakeIo("mail_owner = nobody\nsandbox = Worker\n");
  try {
    await policy(["--format=json", "dns"], io);
    assertStringIncludes(io.written.out, '"--unstable-worker-options"');
  } finally {
    io.remove();
  }
});
