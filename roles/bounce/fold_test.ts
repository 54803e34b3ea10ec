import { assertEquals } from "@std/assert";
import { fold } from "./fold.ts";

Deno.test("fold() cuts words that no line takes, and no character of them", () => {
  const mailbox = "\u{1f4ec}";
  assertEquals(
    fold(`to x${mailbox.repeat(300)} y`),
    [
      "to",
      `    x${mailbox.repeat(199)}`,
      `    ${mailbox.repeat(101)}`,
      "    y",
    ].join("\r\n"),
  );
});
