import { assertEquals, assertMatch } from "@std/assert";
import { mailDate } from "./date.ts";

Deno.test("mailDate() writes the form of RFC 5322 and means the same instant", () => {
  for (const at of [0, 951_782_400_000, 1_732_150_923_000, 4_102_444_799_000]) {
    const text = mailDate(at + 999);
    assertMatch(
      text,
      /^[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} ([0-9]{2}:){2}[0-9]{2} [+-][0-9]{4}( \([A-Z]+\))?$/,
    );
    assertEquals(Date.parse(text), at);
  }
});

Deno.test("mailDate() names the zone as people know it, also after its clocks were set", async () => {
  const dates = async (zone: string) => {
    const code = `const { mailDate } = await import(${
      JSON.stringify(import.meta.resolve("./date.ts"))
    }); for (const month of [0, 6]) console.log(mailDate(Date.UTC(2026, month, 6, 12)));`;
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["eval", "--no-lock", code],
      env: { TZ: zone },
    }).output();
    return new TextDecoder().decode(stdout).trim().split("\n");
  };
  assertEquals(await dates("UTC"), [
    "Tue, 06 Jan 2026 12:00:00 +0000 (UTC)",
    "Mon, 06 Jul 2026 12:00:00 +0000 (UTC)",
  ]);
  assertEquals(await dates("Europe/Berlin"), [
    "Tue, 06 Jan 2026 13:00:00 +0100 (CET)",
    "Mon, 06 Jul 2026 14:00:00 +0200 (CEST)",
  ]);
  assertEquals(await dates("America/New_York"), [
    "Tue, 06 Jan 2026 07:00:00 -0500 (EST)",
    "Mon, 06 Jul 2026 08:00:00 -0400 (EDT)",
  ]);
  assertEquals(await dates("Australia/Sydney"), [
    "Tue, 06 Jan 2026 23:00:00 +1100 (AEDT)",
    "Mon, 06 Jul 2026 22:00:00 +1000 (AEST)",
  ]);
  assertEquals((await dates("Asia/Tokyo"))[0], "Tue, 06 Jan 2026 21:00:00 +0900 (JST)");
  assertEquals((await dates("America/Sao_Paulo"))[0], "Tue, 06 Jan 2026 09:00:00 -0300");
});
