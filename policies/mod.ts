/**
 * The picture of the system: one row per role, in the order in which mail passes. A row says why the process exists and
 * all that it may do; what the runtime and the kernel enforce is computed from it (`grant.ts`, `deno_flags.ts`,
 * `bwrap.ts`), and nothing else grants anything.
 *
 * `delivery` stands for every transport of master.cf that a delivery role runs.
 */

/** Places in the file system, turned into paths by `grant.ts`. */
export type Place = "database" | "maildrop" | "tables" | "mailboxes" | "maillog" | "syslog";

/** Who a role may talk IP to; without it, it gets an empty network namespace. */
export type Network = "smtp_servers" | "name_servers";

/** One role and its rights. */
export interface Row {
  readonly role: string;
  readonly because: string;
  /** Services whose sockets it is handed. */
  readonly answers: readonly string[];
  /** Services that it may connect to. */
  readonly calls: readonly string[];
  readonly network?: Network;
  readonly reads?: readonly Place[];
  readonly writes?: readonly Place[];
  /** Host facts it may ask the runtime for (`--allow-sys`). */
  readonly sys?: readonly string[];
  /** Takes mail from inet listeners that the supervisor bound. */
  readonly inet?: true;
  /** Deno features that are not stable yet. */
  readonly unstable?: readonly string[];
  readonly start: "always" | "on request" | "with a log file";
  /** `in place`: one process must own something throughout, so a reload changes its parameters only. */
  readonly reload: "replaced" | "in place";
}

export const policies: readonly Row[] = [
  {
    role: "smtpd",
    because: "it alone talks to strangers, and has nothing that they could want",
    answers: [],
    calls: ["cleanup", "rewrite", "dns", "anvil"],
    inet: true,
    start: "always",
    reload: "replaced",
  },
  {
    role: "pickup",
    because: "it alone reads what local users leave in the maildrop",
    answers: ["pickup"],
    calls: ["cleanup", "bounce"],
    reads: ["maildrop"],
    writes: ["maildrop"],
    start: "always",
    reload: "replaced",
  },
  {
    role: "cleanup",
    because: "it alone parses message content",
    answers: ["cleanup"],
    calls: ["rewrite", "intake"],
    start: "always",
    reload: "replaced",
  },
  {
    role: "rewrite",
    because: "it alone reads the lookup tables, and decides where an address goes",
    answers: ["rewrite"],
    calls: [],
    reads: ["tables"],
    start: "always",
    reload: "replaced",
  },
  {
    role: "qmgr",
    because: "it alone writes the queue, and decides what is delivered next",
    answers: ["intake", "outcomes", "queue", "flush"],
    calls: ["rewrite", "bounce", "delivery"],
    reads: ["database"],
    writes: ["database"],
    sys: ["statfs"],
    start: "always",
    reload: "in place",
  },
  {
    role: "smtp",
    because: "it alone connects to other people's servers",
    answers: ["delivery"],
    calls: ["dns", "outcomes"],
    network: "smtp_servers",
    start: "on request",
    reload: "replaced",
  },
  {
    role: "virtual",
    because: "it alone writes mailboxes",
    answers: ["delivery"],
    calls: ["rewrite", "outcomes"],
    reads: ["mailboxes"],
    writes: ["mailboxes"],
    // Of what it finds, it gives away only what it made itself.
    sys: ["uid"],
    start: "on request",
    reload: "replaced",
  },
  {
    role: "bounce",
    because: "reports quote hostile mail, and are written away from the queue",
    answers: ["bounce"],
    calls: ["cleanup"],
    start: "on request",
    reload: "replaced",
  },
  {
    role: "dns",
    because: "it alone parses what name servers say",
    answers: ["dns"],
    calls: [],
    network: "name_servers",
    start: "on request",
    reload: "replaced",
  },
  {
    role: "anvil",
    because: "counts of clients must outlive the processes that serve them",
    answers: ["anvil"],
    calls: [],
    start: "on request",
    reload: "in place",
  },
  {
    role: "showq",
    because: "listing a long queue must not hold up the one who writes it",
    answers: ["showq"],
    calls: [],
    reads: ["database"],
    // Commands reach it by its socket alone: nobody could ask for it to be started.
    start: "always",
    reload: "replaced",
  },
  {
    role: "postlogd",
    because: "it alone writes the log, which the other roles must not be able to change",
    answers: ["log"],
    calls: [],
    reads: ["maillog", "syslog"],
    writes: ["maillog", "syslog"],
    // Datagram sockets, for syslog.
    unstable: ["net"],
    start: "with a log file",
    reload: "replaced",
  },
];

/** The row of a role. */
export function policyOf(role: string): Row | undefined {
  return policies.find((row) => row.role === role);
}

/**
 * The supervisor's own row, for people: it starts everything, so no flag could hold it. What holds it is that it reads
 * nothing that came from mail.
 */
export const supervisor = {
  role: "supervisor",
  because: "somebody must bind the ports and start the others; it never reads what came from mail",
  answers: ["control"],
  holds: [
    "everything that the user who starts it may",
    "libc's fcntl and setsockopt (--allow-ffi)",
  ],
} as const;
