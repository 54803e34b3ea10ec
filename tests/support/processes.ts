/** What the processes of a running system cost: read from /proc, by role. */

/** A process of the tree that a supervisor started, itself included. */
export interface Process {
  readonly pid: number;
  /** `smtpd`, `supervisor`, or the program's name where it is no role: `bwrap`. */
  readonly role: string;
}

/** What one process holds. */
export interface Cost {
  /** Its share of all memory that it maps, KiB: pages that several processes map count in part. */
  readonly pssKib: number;
  /** Memory that it maps now, and the most that it ever did, KiB. */
  readonly rssKib: number;
  readonly peakKib: number;
  readonly descriptors: number;
}

/** Every process of the system whose configuration is in this directory; none when it is down. */
export function processTree(configuration: string): Process[] {
  const children = new Map<number, number[]>();
  let root: number | undefined;
  for (const { name } of Deno.readDirSync("/proc")) {
    const pid = Number(name);
    if (!Number.isInteger(pid)) continue;
    const parent = parentOf(pid);
    if (parent === undefined) continue;
    children.set(parent, [...children.get(parent) ?? [], pid]);
    const args = commandLine(pid);
    if (args.includes("serve") && args.includes(configuration)) root = pid;
  }
  if (root === undefined) return [];
  const tree: Process[] = [];
  for (const waiting = [root]; waiting.length;) {
    const pid = waiting.pop()!;
    tree.push({ pid, role: pid === root ? "supervisor" : roleOf(pid) });
    waiting.push(...children.get(pid) ?? []);
  }
  return tree;
}

/** What a process holds; undefined when it has ended. */
export function cost(pid: number): Cost | undefined {
  const rollup = read(`/proc/${pid}/smaps_rollup`), status = read(`/proc/${pid}/status`);
  if (!rollup || !status) return undefined;
  try {
    return {
      pssKib: kib(rollup, "Pss"),
      rssKib: kib(status, "VmRSS"),
      peakKib: kib(status, "VmHWM"),
      descriptors: [...Deno.readDirSync(`/proc/${pid}/fd`)].length,
    };
  } catch {
    return undefined;
  }
}

/** The most memory that each role's processes held at any time since `watch`, KiB. */
export class PeakMemory {
  readonly byRole = new Map<string, number>();
  #timer: ReturnType<typeof setInterval>;

  /** Peaks are the kernel's own; looking now and then only misses processes that come and go in between. */
  constructor(readonly configuration: string, everyMs = 250) {
    this.#timer = setInterval(() => this.look(), everyMs);
  }

  look(): void {
    for (const { pid, role } of processTree(this.configuration)) {
      const peak = kib(read(`/proc/${pid}/status`), "VmHWM");
      this.byRole.set(role, Math.max(peak, this.byRole.get(role) ?? 0));
    }
  }

  stop(): void {
    clearInterval(this.#timer);
    this.look();
  }
}

/** The most memory that a process that is still there ever held, KiB. */
export function peakKib(pid: number): number {
  return kib(read(`/proc/${pid}/status`), "VmHWM");
}

/** How many descriptors each of our processes may have open. */
export function descriptorLimit(): number {
  return Number(/^Max open files +\S+ +(\d+)/m.exec(read("/proc/self/limits"))?.[1] ?? 1024);
}

function roleOf(pid: number): string {
  const [program = "", ...args] = commandLine(pid);
  const name = program.slice(program.lastIndexOf("/") + 1);
  if (name !== "deno") return name;
  const module = args.find((arg) => /\/roles\/[a-z]+\/main\.ts$/.test(arg));
  return module?.split("/").at(-2) ?? name;
}

/** The number after a name in a table of /proc; 0 where it is not. */
function kib(text: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(text)?.[1] ?? 0);
}

function parentOf(pid: number): number | undefined {
  const stat = read(`/proc/${pid}/stat`);
  // After the name in parentheses: state, then the parent.
  return stat ? Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]) : undefined;
}

function commandLine(pid: number): string[] {
  return read(`/proc/${pid}/cmdline`).split("\0");
}

/** Empty when the process has ended. */
function read(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return "";
  }
}
