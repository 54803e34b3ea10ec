/**
 * `Deno.` and `node:` appear only in listed modules (STYLE C19): whoever audits what the system does to the host reads
 * these and the policy table, and nothing else.
 */

import { none, product } from "./sources.ts";

/** Each module that touches the platform, and why it must. */
const LISTED = new Map([
  ["main.ts", "arguments, standard streams, the exit code"],
  ["policies/bwrap.ts", "asks which system directories exist"],
  ["policies/probe.ts", "tries all that a role must not do"],
  ["policies/seccomp.ts", "asks which processor it is"],
  ["roles/commands/as_owner.ts", "does root's work among another user's files as that user"],
  ["roles/commands/command_log.ts", "its process id"],
  ["roles/commands/control.ts", "whether anybody reads what it prints"],
  ["roles/commands/compile.ts", "runs deno compile"],
  ["roles/commands/maildrop.ts", "lists the maildrop"],
  ["roles/commands/full_name.ts", "the list of users"],
  ["roles/commands/policy_decoys.ts", "makes what a probe's attempts are aimed at"],
  ["roles/commands/policy_probe.ts", "starts a probe"],
  ["roles/commands/queue_access.ts", "looks whether there is a queue"],
  ["roles/commands/sendmail.ts", "the calling user"],
  ["roles/commands/start.ts", "starts serve, and reads what it prints"],
  ["roles/dns/exchange.ts", "UDP and TCP to the name servers"],
  ["roles/dns/hosts.ts", "isIP()"],
  ["roles/dns/interpret.ts", "isIP(), and Buffer as dns-packet gives it"],
  ["roles/dns/main.ts", "isIP(), and whether its row grants a server"],
  ["roles/dns/packet.ts", "Buffer as dns-packet wants it"],
  ["roles/pickup/maildrop.ts", "lists the maildrop"],
  ["roles/postlogd/log_file.ts", "writes the log file"],
  ["roles/postlogd/syslog.ts", "writes to the syslog socket"],
  ["roles/postlogd/writer.ts", "writes to the terminal"],
  ["roles/qmgr/free_space.ts", "knows when it may not look at the disk"],
  ["roles/qmgr/last_seen.ts", "keeps a time over its own end"],
  ["roles/qmgr/seals.ts", "the key of seals, and SHA-256"],
  ["roles/smtp/connect.ts", "connects to other people's servers"],
  ["roles/smtp/lookup.ts", "isIP()"],
  ["roles/smtp/wire.ts", "its sockets, and TLS on them"],
  ["roles/smtpd/socket.ts", "its sockets, and TLS on them"],
  ["roles/commands/role.ts", "its temporary directory"],
  ["roles/commands/role_scene.ts", "whose the messages are that it makes"],
  ["roles/commands/role_stubs.ts", "listens in the place of services"],
  ["roles/supervisor/alone.ts", "signals"],
  ["roles/supervisor/by_descriptor.ts", "opens what root gives away"],
  ["roles/supervisor/changeable_link.ts", "follows links on the way to a place"],
  ["roles/supervisor/directories.ts", "makes the queue's directories and their owners"],
  ["roles/supervisor/handles.ts", "binds the listeners"],
  ["roles/supervisor/hearing.ts", "knocks at services where nobody came"],
  ["roles/supervisor/host.ts", "users and addresses of this host"],
  ["roles/supervisor/launch.ts", "starts the roles"],
  ["roles/supervisor/libc.ts", "fcntl(), setsockopt() and scheduling"],
  ["roles/supervisor/main.ts", "signals"],
  ["roles/supervisor/moved_away.ts", "looks whether the log is still in its place"],
  ["roles/supervisor/network_files.ts", "reads the files of mynetworks"],
  ["roles/supervisor/overlap.ts", "follows links to see which places lie in one another"],
  ["roles/supervisor/pid_file.ts", "the pid file"],
  ["roles/supervisor/places.ts", "looks at the places that the configuration names"],
  ["roles/supervisor/queue_problem.ts", "looks whose the queue is"],
  ["roles/supervisor/runtime.ts", "finds Deno and bubblewrap, and tries them"],
  ["roles/supervisor/stage.ts", "copies the runtime, and removes what is left of copies"],
  ["roles/supervisor/stop_point.ts", "the environment of who starts a crash test"],
  ["roles/supervisor/tls_material.ts", "reads the TLS keys"],
  ["roles/virtual/directories.ts", "makes mailbox directories"],
  ["roles/virtual/find_mailbox.ts", "which user it runs as"],
  ["roles/virtual/maildir.ts", "writes mailboxes"],
  ["roles/virtual/sync_rounds.ts", "syncs mailboxes"],
  ["shared/bytes.ts", "Buffer's way from bytes to text"],
  ["shared/config/facts.ts", "the host's name and the clone's place"],
  ["shared/config/named_file.ts", "reads main.cf, master.cf and files that they name"],
  ["shared/ipc/client.ts", "connects to services"],
  ["shared/ipc/probe.ts", "asks whether somebody answers"],
  ["shared/net/network.ts", "isIP()"],
  ["shared/net/nexthop.ts", "isIP()"],
  ["shared/log/stderr.ts", "standard error"],
  ["shared/maildrop/drop.ts", "writes a submission to the maildrop"],
  ["shared/mail/derived_source.ts", "SHA-256"],
  ["shared/maildrop/file_format.ts", "SHA-256"],
  ["shared/maildrop/open_file.ts", "opens without following links or waiting"],
  ["shared/parameters/mod.ts", "reads the table of Postfix's parameters"],
  ["shared/queue/content_files.ts", "writes and reads large contents"],
  ["shared/queue/directory.ts", "directories of the queue"],
  ["shared/queue/segments.ts", "writes and reads contents that are not so large"],
  ["shared/queue/spare_files.ts", "keeps files of removed contents"],
  ["shared/queue/reserve.ts", "keeps space for a full disk"],
  ["shared/queue/queue_space.ts", "asks for free space, and how long the database is"],
  ["shared/queue/queue_lock.ts", "the lock on the queue"],
  ["shared/queue/sqlite_schema.ts", "the database"],
  ["shared/queue/transactions.ts", "its log, synced"],
  ["shared/role/confine.ts", "makes the worker, and gives up permissions"],
  ["shared/role/control_channel.ts", "the control channel, the process's end"],
  ["shared/role/garbage.ts", "how much memory is used"],
  ["shared/role/role.ts", "the listeners"],
  ["shared/stop_points.ts", "standard error, from a role that does nothing more"],
  ["shared/table/text_file.ts", "reads tables"],
]);

/** Uses of the platform; types vanish when the code runs. */
const USES = /\bDeno\.(?!test\b)|^\s*import (?!type\b)[^;]*?["']node:|\bimport\(["']node:/m;
const TYPE_ONLY = /:\s*[^=;\n]*\bDeno\.[A-Z]\w*/g;

const users = product.filter(({ path, code }) =>
  !path.startsWith("shared/std/") && USES.test(code.replace(TYPE_ONLY, ""))
).map(({ path }) => path);

Deno.test("Deno. and node: appear only in listed modules", () => {
  none(
    users.filter((path) => !LISTED.has(path)),
    "Let a listed module do it, or list this one in tests/rules/platform_test.ts with its reason:",
  );
});

Deno.test("each listed module uses the platform", () => {
  none([...LISTED.keys()].filter((path) => !users.includes(path)), "Take it off the list:");
});
