import { assertEquals } from "@std/assert";
import { fakeIo } from "../../tests/support/fake_io.ts";
import { fullName, listedName } from "./full_name.ts";

for (
  const [line, name] of [
    ["joe:x:1001:1001:Joe Q. Public,Room 1,555:/home/joe:/bin/sh", "Joe Q. Public"],
    ["joe:x:1001:1001:& Public:/home/joe:/bin/sh", "Joe Public"],
    ["$&:x:1001:1001:&:/:/bin/sh", "$&"],
    ["joe:x:1001:1001:,,,:/home/joe:/bin/sh", ""],
    ["joe:x:1001:1001::/home/joe:/bin/sh", ""],
    ["joe:x:1002:1001:Other:/home/joe:/bin/sh", ""],
    ["1001:x:7:1001:Other:/home/joe:/bin/sh", ""],
    ["", ""],
  ] as const
) {
  Deno.test(`listedName() finds "${name}" in "${line}"`, () => {
    assertEquals(listedName(`root:x:0:0:root:/root:/bin/sh\n${line}\n`, 1001), name);
  });
}

Deno.test("fullName() is that of -F, else of the environment, else of the list of users", () => {
  const io = fakeIo();
  const users = `me:x:${Deno.uid()}:0:From the List:/:/bin/sh`;
  const env = (text?: string) => (name: string) => name === "NAME" ? text : undefined;
  try {
    assertEquals(fullName(undefined, { ...io, users, env: env() }), "From the List");
    assertEquals(fullName(undefined, { ...io, users, env: env("From Env") }), "From Env");
    assertEquals(fullName(undefined, { ...io, users, env: env("") }), "");
    assertEquals(fullName("Gi\nven", { ...io, users, env: env("From Env") }), "Gi ven");
    assertEquals(fullName("", { ...io, users, env: env("From Env") }), "");
    assertEquals(fullName("x".repeat(1000), io).length, 256);
  } finally {
    io.remove();
  }
});
