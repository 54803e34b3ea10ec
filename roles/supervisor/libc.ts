/** The calls of libc that Deno has no words for: all that --allow-ffi is for. The supervisor and commands hold it, no role. */

const library = {
  fcntl: { parameters: ["i32", "i32", "i32"], result: "i32" },
  sched_getscheduler: { parameters: ["i32"], result: "i32" },
  sched_setscheduler: { parameters: ["i32", "i32", "buffer"], result: "i32" },
  setgroups: { parameters: ["usize", "pointer"], result: "i32" },
  setsockopt: { parameters: ["i32", "i32", "i32", "buffer", "u32"], result: "i32" },
} as const;

let symbols: Deno.DynamicLibrary<typeof library>["symbols"] | undefined;

/** fcntl(2) with an integer, sched_getscheduler(2), sched_setscheduler(2), setgroups(2) and setsockopt(2); -1 for what failed. */
export function libc(): Deno.DynamicLibrary<typeof library>["symbols"] {
  return symbols ??= Deno.dlopen("libc.so.6", library).symbols;
}
