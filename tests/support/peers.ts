/**
 * Other people's programs that tests talk to. Where one is missing on a developer's machine its tests are skipped, and
 * say why; with CI=true a missing one is a failure.
 */

import { join } from "@std/path";

/** What apt-get must install for each. */
const PACKAGES = {
  "smtp-source": "postfix",
  "smtp-sink": "postfix",
  postmap: "postfix",
  postconf: "postfix",
  swaks: "swaks",
  bwrap: "bubblewrap",
  python3: "python3",
  openssl: "openssl",
} as const;

export type Peer = keyof typeof PACKAGES;

/** Debian keeps these where an ordinary user's PATH does not look. */
const ALSO = ["/usr/sbin", "/sbin"];

/** Where a program is; undefined when it is not installed. */
export function find(peer: Peer): string | undefined {
  const directories = [...(Deno.env.get("PATH") ?? "").split(":"), ...ALSO];
  return directories.filter(Boolean).map((each) => join(each, peer)).find(isProgram);
}

function isProgram(path: string): boolean {
  try {
    const { isFile, mode } = Deno.statSync(path);
    return isFile && ((mode ?? 0) & 0o111) !== 0;
  } catch {
    return false;
  }
}

/** Declares a test that needs peers; its function gets their paths. */
export function peerTest<const P extends Peer>(
  name: string,
  peers: readonly P[],
  run: (paths: Record<P, string>, t: Deno.TestContext) => Promise<void>,
): void {
  const paths = Object.fromEntries(peers.map((peer) => [peer, find(peer)]));
  const missing = peers.filter((peer) => !paths[peer]);
  const why = missing.map((peer) => `${peer} is missing: apt-get install ${PACKAGES[peer]}`);
  const ignore = missing.length > 0 && Deno.env.get("CI") !== "true";
  Deno.test({
    name: ignore ? `${name} (skipped: ${why.join(", ")})` : name,
    ignore,
    fn: async (t) => {
      if (missing.length) throw new Error(why.join(", "));
      await run(paths as Record<P, string>, t);
    },
  });
}

/** Runs a program to its end; another exit than 0, or than those of `exits`, is an error that shows what it printed. */
export async function run(
  program: string,
  args: string[],
  options: { input?: string; env?: Record<string, string>; exits?: readonly number[] } = {},
): Promise<string> {
  const child = new Deno.Command(program, {
    args,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
    ...(options.env ? { env: options.env } : {}),
  }).spawn();
  const writer = child.stdin.getWriter();
  // A program that does not read its input is not at fault.
  const written = writer.write(new TextEncoder().encode(options.input ?? ""))
    .then(() => writer.close()).catch(() => {});
  const { code, stdout, stderr } = await child.output();
  await written;
  const out = new TextDecoder().decode(stdout), err = new TextDecoder().decode(stderr);
  if (!(options.exits ?? [0]).includes(code)) {
    throw new Error(`${program} ${args.join(" ")}: exit ${code}\n${out}${err}`);
  }
  return out;
}

/** smtp-sink's counters are on the last line that it wrote, which is shorter than this. */
const COUNTERS_BYTES = 200;

/**
 * Postfix's smtp-sink on a port of 127.0.0.1, which counts what it takes; at most `connections` at once. It writes a line
 * for each message: into a file, because to read them all would be work in what is measured.
 */
export class CountingSink implements AsyncDisposable {
  readonly #counters = Deno.makeTempFileSync({ prefix: "postern-sink-" });
  readonly #child;

  constructor(program: string, port: number, connections: number) {
    const user = Deno.uid() === 0 ? ["-u", "nobody"] : [];
    this.#child = new Deno.Command("sh", {
      args: [
        ...["-c", 'exec "$@" > "$0"', this.#counters],
        ...[program, ...user, "-c", `127.0.0.1:${port}`, String(connections)],
      ],
      stdin: "null",
      stderr: "null",
    }).spawn();
  }

  get count(): number {
    using file = Deno.openSync(this.#counters);
    const { size } = file.statSync();
    file.seekSync(Math.max(size - COUNTERS_BYTES, 0), Deno.SeekMode.Start);
    const end = new Uint8Array(COUNTERS_BYTES), length = file.readSync(end) ?? 0;
    const [, count] = /.*mesg=(\d+)/s.exec(new TextDecoder().decode(end.subarray(0, length))) ?? [];
    return Number(count ?? 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill();
    await this.#child.status;
    await Deno.remove(this.#counters);
  }
}
