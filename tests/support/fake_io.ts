/** For tests: a configuration of its own in a temporary directory, and what a command wrote. */

import type { CommandIo } from "../../roles/commands/io.ts";

export interface FakeIo extends CommandIo {
  readonly queueDirectory: string;
  /** Standard output and standard error so far. */
  readonly written: { out: string; err: string };
  remove(): void;
}

/** `main` is added to main.cf; `input` is standard input. */
export function fakeIo(main = "", input = ""): FakeIo {
  const directory = Deno.makeTempDirSync();
  const queueDirectory = `${directory}/q`;
  for (
    const name of [
      "",
      "/maildrop",
      "/public",
      "/public/showq",
      "/public/queue",
      "/public/flush",
      "/private",
    ]
  ) {
    Deno.mkdirSync(queueDirectory + name);
  }
  Deno.writeTextFileSync(
    `${directory}/main.cf`,
    `compatibility_level = 3.6\nmyhostname = mail.example.com\nqueue_directory = ${queueDirectory}\n${main}`,
  );
  Deno.writeTextFileSync(`${directory}/master.cf`, "");
  const written = { out: "", err: "" }, decoder = new TextDecoder();
  return {
    configDirectory: directory,
    queueDirectory,
    written,
    out: (text) => void (written.out += text),
    outBytes: (bytes) => void (written.out += decoder.decode(bytes, { stream: true })),
    err: (text) => void (written.err += text),
    env: () => undefined,
    user: "tester",
    users: "",
    input: new Blob([input]).stream() as ReadableStream<Uint8Array>,
    remove: () => Deno.removeSync(directory, { recursive: true }),
  };
}
