/**
 * What no role may ask of the kernel where bubblewrap is: a filter of seccomp(2). It refuses to make a file set-user-id or
 * set-group-id: virtual, where it gives mailboxes to several owners, could make one that is root's, and the kernel honours it
 * wherever else the file system is mounted.
 */

/** A system call's number, and which of its arguments, from 0, is the mode. */
type ByMode = readonly [number: number, mode: number];

/** The numbers of a processor's system calls (asm/unistd.h, linux/audit.h). */
interface Machine {
  readonly audit: number;
  /** chmod, fchmod, fchmodat, fchmodat2, creat, mknod, mknodat. */
  readonly modes: readonly ByMode[];
  /** open and openat, by the argument with the flags; the mode follows, and counts where a file is made. */
  readonly opens: readonly ByMode[];
}

const MACHINES: Readonly<Record<string, Machine>> = {
  x86_64: {
    audit: 0xc000003e,
    modes: [[90, 1], [91, 1], [268, 2], [452, 2], [85, 1], [133, 1], [259, 2]],
    opens: [[2, 1], [257, 2]],
  },
  aarch64: {
    audit: 0xc00000b7,
    modes: [[52, 1], [53, 2], [452, 2], [33, 2]],
    opens: [[56, 2]],
  },
};
/** io_uring_setup, which passes by all filters, and openat2, whose mode no filter can see: as in a kernel without them. */
const MISSING = [425, 437];
/** Numbers from here on are the same calls under another name (x32). */
const OTHER_NAMES = 0x40000000;

const S_ISUID_S_ISGID = 0o6000;
const O_CREAT_O_TMPFILE = 0o20000100;

/** Of `struct seccomp_data`, all in 32 bits. */
const NUMBER = 0, AUDIT = 4, ARGUMENTS = 16, ARGUMENT_BYTES = 8;

const ALLOW = 0x7fff0000, REFUSE = 0x00050000, EPERM = 1, ENOSYS = 38;

/** One instruction of classic BPF: where it is no jump, `yes` and `no` are 0. */
type Instruction = readonly [code: number, yes: number, no: number, k: number];

const load = (at: number): Instruction => [0x20, 0, 0, at];
const argument = (n: number) => load(ARGUMENTS + ARGUMENT_BYTES * n);
const answer = (what: number): Instruction => [0x06, 0, 0, what];
/** These go on where what they say holds, and otherwise skip so many. */
const ifEqual = (k: number, skip: number): Instruction => [0x15, 0, skip, k];
const unlessEqual = (k: number, skip: number): Instruction => [0x15, skip, 0, k];
const ifAtLeast = (k: number, skip: number): Instruction => [0x35, 0, skip, k];
const ifAnyBit = (k: number, skip: number): Instruction => [0x45, 0, skip, k];

/** bubblewrap's arguments for a filter that it reads from standard input. */
export const FILTERED = ["--seccomp", "0"];

/** The filter as bubblewrap takes it; undefined for processors whose numbers are not known here. */
export function seccompFilter(
  machine: string = Deno.build.arch,
): Uint8Array<ArrayBuffer> | undefined {
  const calls = MACHINES[machine];
  return calls && encode([
    load(AUDIT),
    unlessEqual(calls.audit, 1),
    answer(REFUSE | ENOSYS),
    load(NUMBER),
    ifAtLeast(OTHER_NAMES, 1),
    answer(REFUSE | ENOSYS),
    ...MISSING.flatMap((number) => [ifEqual(number, 1), answer(REFUSE | ENOSYS)]),
    ...calls.modes.flatMap(([number, mode]) => {
      const judge = judgeMode(mode);
      return [ifEqual(number, judge.length), ...judge];
    }),
    ...calls.opens.flatMap(([number, flags]) => {
      const judge = judgeMode(flags + 1);
      // Without a new file the mode is whatever was there: the last instruction allows it.
      const open = [argument(flags), ifAnyBit(O_CREAT_O_TMPFILE, judge.length - 1), ...judge];
      return [ifEqual(number, open.length), ...open];
    }),
    answer(ALLOW),
  ]);
}

function judgeMode(mode: number): Instruction[] {
  return [argument(mode), ifAnyBit(S_ISUID_S_ISGID, 1), answer(REFUSE | EPERM), answer(ALLOW)];
}

function encode(program: readonly Instruction[]): Uint8Array<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(program.length * 8));
  program.forEach(([code, yes, no, k], i) => {
    view.setUint16(i * 8, code, true);
    view.setUint8(i * 8 + 2, yes);
    view.setUint8(i * 8 + 3, no);
    view.setUint32(i * 8 + 4, k, true);
  });
  return new Uint8Array(view.buffer);
}
