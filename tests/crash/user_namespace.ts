/**
 * Small disks for an ordinary user: a user namespace in which they are mounted, and within it another one in which the user
 * has the own id and no right again, as everywhere else.
 */

import { MOUNTED, SMALL_DISK_SIZE } from "../support/disk.ts";

/** Mounts what stands in the environment, gives the rights back, and runs the rest of its arguments. */
const SCRIPT = `set -e
IFS=:
for disk in $${MOUNTED}; do
  mount -t tmpfs -o size=${SMALL_DISK_SIZE},mode=0755 postern-test "$disk"
done
exec unshare --user --map-user=${Deno.uid()} --map-group=${Deno.gid()} "$@"`;

/** Runs a program where so many small disks are mounted; what it printed. */
export async function withSmallDisks(
  disks: number,
  program: string,
  ...args: readonly string[]
): Promise<{ success: boolean; output: string }> {
  const directories = Array.from(
    { length: disks },
    () => Deno.makeTempDirSync({ prefix: "postern-disk-" }),
  );
  try {
    const { success, stdout, stderr } = await new Deno.Command("unshare", {
      args: ["--map-root-user", "--mount", "sh", "-c", SCRIPT, "sh", program, ...args],
      env: { [MOUNTED]: directories.join(":") },
      stdin: "null",
    }).output();
    const text = new TextDecoder();
    return { success, output: text.decode(stdout) + text.decode(stderr) };
  } catch (error) {
    return { success: false, output: (error as Error).message };
  } finally {
    for (const directory of directories) Deno.removeSync(directory);
  }
}
