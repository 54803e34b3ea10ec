import { assertEquals } from "@std/assert";
import { isUnharmed, marked } from "./load.ts";

Deno.test("isUnharmed() knows a marked message's own body, all of it, with any line ends", () => {
  const text = marked("one", 5000), plain = text.replaceAll("\r\n", "\n");
  const sound = [
    text,
    `${text}\r\n`,
    plain,
    `Received: x\n\ty\n${plain}\n`,
    "Subject: unmarked\n\nx\n",
  ];
  assertEquals(sound.map(isUnharmed), sound.map(() => true));
  const [header] = text.split("\r\n\r\n");
  const harmed = [
    `${header}\r\n\r\n${marked("two", 5000).split("\r\n\r\n")[1]}`,
    text.slice(0, -10),
    `${text}${text}`,
    `${header}\r\n`,
    text.replace("one x", "one y"),
  ];
  assertEquals(harmed.map(isUnharmed), harmed.map(() => false));
});
