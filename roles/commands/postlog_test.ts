import { assertStringIncludes } from "@std/assert";
import { fakeIo } from "../../tests/support/fake_io.ts";
import { postlog } from "./postlog.ts";

Deno.test("postlog writes JSON where maillog_format says so, in whatever case", async () => {
  const io = fakeIo("maillog_format = JSON\n");
  try {
    await postlog(["said"], io);
    assertStringIncludes(io.written.err, '"text":"said"');
  } finally {
    io.remove();
  }
});
