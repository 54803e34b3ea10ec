/** How much work something is, whatever else the machine does meanwhile. */

/**
 * Milliseconds that this thread has had a processor, since some time: a later answer less an earlier one is what was between
 * them. Where the kernel does not count that (proc_pid_schedstat(5)), the time that passed.
 */
export function worked(): number {
  const [nanoseconds] = Deno.readTextFileSync("/proc/thread-self/schedstat").split(" ");
  return Number(nanoseconds) / 1e6 || performance.now();
}
