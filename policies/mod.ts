/**
 * The picture of the system: one row per role, in the order in which mail passes. A row says why the process exists, all
 * that it may do, and when it runs; what the runtime and the kernel enforce is computed from it (`grant.ts`,
 * `deno_flags.ts`, `bwrap.ts`), and nothing else grants anything. What acts on a row asks for its properties, never for
 * its name, so that a new role is a new row.
 *
 * `delivery` stands for every transport of master.cf that a delivery role runs, `log` for a socket of each process name,
 * which is handed to nobody but who logs in that name.
 */

/**
 * Places in the file system, turned into paths by `grant.ts`. `listing` is the database alone of what is in qmgr's directory. Who
 * writes `mailboxes` runs as their owner; who writes to `syslog` may connect to its socket.
 */
export type Place =
  | "database"
  | "listing"
  | "maildrop"
  | "tables"
  | "mailboxes"
  | "maillog"
  | "syslog";

/** Who a role may talk IP to; without it, it gets an empty network namespace. */
export type Network = "smtp_servers" | "name_servers";

/** One role: its rights, and its life. */
export interface Row {
  readonly role: string;
  /** The commands of master.cf that it runs, where they are not just its name; of several it is told which, and logs so. */
  readonly commands?: readonly string[];
  readonly because: string;
  /** Services whose sockets it is handed. */
  readonly answers: readonly string[];
  /** Services that it may connect to. */
  readonly calls: readonly string[];
  /** Programs of Postfix in whose name it logs beside its own: tools find lines by them. */
  readonly logsAs?: readonly string[];
  readonly network?: Network;
  readonly reads?: readonly Place[];
  readonly writes?: readonly Place[];
  /** Host facts it may ask the runtime for (`--allow-sys`). */
  readonly sys?: readonly string[];
  /** Takes mail from inet listeners that the supervisor bound, and is handed the TLS keys for it. */
  readonly inet?: true;
  /** Deno features that are not stable yet. */
  readonly unstable?: readonly string[];
  /** Runs even if master.cf, perhaps a Postfix one, does not list it. */
  readonly implied?: true;
  /** Several processes may share its work (`SERVICE_process_count`); of the others one is enough, or must be alone. */
  readonly scales?: true;
  readonly start: "always" | "on request" | "with a log file";
  /** `in place`: there must be only one, so a reload changes its parameters, or ends it first when it changes its rights. */
  readonly reload: "replaced" | "in place";
  /** When it ends as the system stops. */
  readonly stop: StopPhase;
}

/** A stop ends what takes mail in, then the queue and who feeds it, then who works for it, and last who writes it all down. */
export type StopPhase = "intake" | "queue" | "rest" | "log";

export const policies: readonly Row[] = [
  {
    role: "smtpd",
    because: "it alone talks to strangers, and has nothing that they could want",
    answers: [],
    calls: ["cleanup", "bodies", "rewrite", "dns", "anvil"],
    inet: true,
    scales: true,
    start: "always",
    reload: "replaced",
    stop: "intake",
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
    stop: "intake",
  },
  {
    role: "cleanup",
    because: "it alone parses message content",
    answers: ["cleanup"],
    calls: ["rewrite", "intake"],
    scales: true,
    start: "always",
    reload: "replaced",
    stop: "queue",
  },
  {
    role: "rewrite",
    commands: ["trivial-rewrite"],
    because: "it alone reads the lookup tables, and decides where an address goes",
    answers: ["rewrite"],
    calls: [],
    reads: ["tables"],
    start: "always",
    reload: "replaced",
    stop: "rest",
  },
  {
    role: "qmgr",
    because: "it alone writes the queue, and decides what is delivered next",
    answers: ["intake", "bodies", "outcomes", "queue", "flush"],
    calls: ["rewrite", "bounce", "delivery"],
    logsAs: ["error", "discard"],
    reads: ["database"],
    writes: ["database"],
    sys: ["statfs"],
    start: "always",
    reload: "in place",
    stop: "queue",
  },
  {
    role: "smtp",
    commands: ["smtp", "lmtp"],
    because: "it alone connects to other people's servers",
    answers: ["delivery"],
    calls: ["dns", "outcomes"],
    network: "smtp_servers",
    start: "on request",
    reload: "replaced",
    stop: "rest",
  },
  {
    role: "virtual",
    because: "it alone writes mailboxes",
    answers: ["delivery"],
    calls: ["rewrite", "outcomes"],
    reads: ["mailboxes"],
    writes: ["mailboxes"],
    // Of what it finds, it gives away only what is its own.
    sys: ["uid"],
    start: "on request",
    reload: "replaced",
    stop: "rest",
  },
  {
    role: "bounce",
    because: "reports quote hostile mail, and are written away from the queue",
    answers: ["bounce"],
    calls: ["cleanup"],
    start: "on request",
    reload: "replaced",
    stop: "rest",
  },
  {
    role: "dns",
    because: "it alone parses what name servers say",
    answers: ["dns"],
    calls: [],
    network: "name_servers",
    implied: true,
    start: "on request",
    reload: "replaced",
    stop: "rest",
  },
  {
    role: "anvil",
    because: "counts of clients must outlive the processes that serve them",
    answers: ["anvil"],
    calls: [],
    start: "on request",
    reload: "in place",
    stop: "rest",
  },
  {
    role: "showq",
    because: "listing a long queue must not hold up the one who writes it",
    answers: ["showq"],
    calls: [],
    reads: ["listing"],
    // Commands reach it by its socket alone: nobody could ask for it to be started.
    start: "always",
    reload: "replaced",
    stop: "rest",
  },
  {
    role: "postlogd",
    because: "it alone writes the log, which the other roles must not be able to change",
    answers: ["log"],
    calls: [],
    reads: ["syslog"],
    writes: ["maillog", "syslog"],
    // Datagram sockets, for syslog.
    unstable: ["net"],
    implied: true,
    start: "with a log file",
    reload: "replaced",
    stop: "log",
  },
];

/** The row of a role. */
export function policyOf(role: string): Row | undefined {
  return policies.find((row) => row.role === role);
}

/** The commands of master.cf that a role runs. */
export function commandsOf({ role, commands }: Row): readonly string[] {
  return commands ?? [role];
}

/** The row of the role that runs a command of master.cf. */
export function policyOfCommand(command: string): Row | undefined {
  return policies.find((row) => commandsOf(row).includes(command));
}

/**
 * The supervisor's own row, for people: it starts everything, so no flag could hold it. What holds it is that it parses
 * nothing that came from mail.
 */
export const supervisor = {
  role: "supervisor",
  because:
    "somebody must bind the ports and start the others; of mail it reads what roles put on standard error alone",
  answers: ["control"],
  holds: [
    "everything that the user who starts it may",
    "libc's fcntl, sched_getscheduler, sched_setscheduler, setgroups and setsockopt (--allow-ffi)",
  ],
} as const;
