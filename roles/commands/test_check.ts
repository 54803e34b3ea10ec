/** What `check` says of a configuration, for its tests. */

import { fakeIo } from "../../tests/support/fake_io.ts";
import { check } from "./check.ts";

export const SERVICES = "127.0.0.1:2525 inet n - n - - smtpd\nsmtp unix - - n - - smtp\n";
/** What every system has beside them, unless a test has lines of its own for it. */
const OTHERS = ["cleanup", "qmgr", "trivial-rewrite", "anvil", "bounce"].map((each) =>
  `${each} unix n - n - - ${each}`
)
  .concat(["local", "relay", "smtp"].map((each) => `${each} unix - - n - - smtp`));
/** These lines come before those of each test. */
const BASE = ["mail_owner = mail", "mydestination = here.example", "local_recipient_maps ="];

/** What `check` says of main.cf lines after BASE, and of master.cf lines after SERVICES; `$directory` in them has these files. */
export async function said(
  lines: string,
  master = "",
  files: Record<string, string> = {},
  services = SERVICES,
  without: readonly string[] = [],
) {
  const io = fakeIo();
  const directory = io.configDirectory!;
  try {
    const all = [...BASE, `queue_directory = ${io.queueDirectory}`, lines];
    Deno.writeTextFileSync(
      `${directory}/main.cf`,
      all.join("\n").replaceAll("$directory", directory),
    );
    Deno.writeTextFileSync(`${directory}/master.cf`, withOthers(services + master, without));
    for (const [name, text] of Object.entries(files)) {
      Deno.writeTextFileSync(`${directory}/${name}`, text);
    }
    const code = await check([], io);
    const found = io.written.err.replaceAll(directory, "DIR").split("\n").filter(Boolean)
      .filter((line) => !line.includes("replaces the entry"));
    return { code, found, summary: io.written.out.replaceAll(directory, "DIR") };
  } finally {
    io.remove();
  }
}

function withOthers(master: string, without: readonly string[]): string {
  const lines = master.split("\n").filter(Boolean);
  const has = (other: string) =>
    without.includes(other.split(" ")[0]!) ||
    lines.some((line) => [line.split(" ")[0], line.split(" ")[7]].includes(other.split(" ")[0]));
  return [...lines, ...OTHERS.filter((other) => !has(other))].join("\n") + "\n";
}

/** The first line that a test adds to main.cf. */
export const HERE = "DIR/main.cf, line 5";
export const WAITS = "what needs it must wait until that is mended";
export const CERTIFICATE = "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n";
