import { assertEquals, assertMatch } from "@std/assert";
import type { Host } from "../../policies/grant.ts";
import { placeProblems } from "./places.ts";
import { configured } from "./test_configuration.ts";

const ROOT: Host = {
  root: true,
  mailOwner: { name: "nobody", uid: 65534, gid: 65534 },
  nameServers: [],
};
/** Somebody who is neither. */
const STRANGER = 5000;

/** What is said of the places `TOP/q`, `TOP/q/pid` and `TOP/log/maillog`; the directories of the last two are there. */
function said(arrange: (top: string) => void, host = ROOT): string[] {
  const top = Deno.makeTempDirSync();
  try {
    Deno.chmodSync(top, 0o755);
    Deno.mkdirSync(`${top}/q/pid`, { recursive: true });
    Deno.mkdirSync(`${top}/log`);
    arrange(top);
    const main =
      `queue_directory = ${top}/q\nsandbox = Worker\nmaillog_file = ${top}/log/maillog\n` +
      `virtual_mailbox_base = ${top}/mail\nvirtual_uid_maps = static:65534\nvirtual_gid_maps = static:65534\n`;
    return placeProblems(configured(main, "virtual unix - n n - - virtual\n"), host)
      .map(({ parameter, text }) => `${parameter}: ${text.replaceAll(top, "")}`);
  } finally {
    Deno.removeSync(top, { recursive: true });
  }
}

function give(path: string, uid: number): void {
  Deno.lstatSync(path).isSymlink
    ? new Deno.Command("chown", { args: ["-h", String(uid), path] }).outputSync()
    : Deno.chownSync(path, uid, uid);
}

for (
  const [what, arrange, expected] of [
    [
      "a queue that others may write to",
      (top) => Deno.chmodSync(`${top}/q`, 0o777),
      [
        "queue_directory: others may write to /q, whose mode is 0777: look at what it holds, then chmod go-w /q",
      ],
    ],
    ["a queue of somebody else", (top) => give(`${top}/q`, STRANGER), [
      "queue_directory: /q belongs to 5000, not to root: start as 5000, or chown -R root /q",
    ]],
    [
      "a queue that another user has made",
      (top) => {
        Deno.mkdirSync(`${top}/q/queue`);
        Deno.mkdirSync(`${top}/q/maildrop`);
        for (const path of ["q", "q/pid", "q/queue", "q/maildrop"]) {
          give(`${top}/${path}`, STRANGER);
        }
      },
      [
        "queue_directory: /q belongs to 5000, not to root: start as 5000, or chown -R root /q && chown -R nobody /q/queue /q/maildrop",
      ],
    ],
    [
      "the database of another mail_owner",
      (top) => {
        Deno.mkdirSync(`${top}/q/queue`);
        Deno.writeTextFileSync(`${top}/q/queue/queue.db`, "");
        give(`${top}/q/queue/queue.db`, STRANGER);
      },
      [
        "queue_directory: /q/queue/queue.db belongs to 5000, not to nobody: set mail_owner = 5000, or chown -R nobody /q/queue",
      ],
    ],
    [
      "a link in the place of qmgr's directory",
      (top) => Deno.symlinkSync("../log", `${top}/q/queue`),
      [
        "queue_directory: /q/queue is a symbolic link of root: put a directory in its place",
      ],
    ],
    ["a queue where mail_owner cannot get", (top) => Deno.chmodSync(top, 0o700), [
      "queue_directory: /q is inside a directory that nobody may not enter, and there is no bubblewrap to show it: " +
      "install bubblewrap, or set queue_directory to a place such as /var/spool/postern",
    ]],
    ["mailboxes that the role cannot write to", (top) => Deno.mkdirSync(`${top}/mail`), [
      "virtual_mailbox_base: /mail belongs to 0:0, its mode is 0755, and 65534 has to write there: " +
      "give it to 65534 with mode 0700, or name a directory that is not there yet",
    ]],
    [
      "public/ of somebody else",
      (top) => {
        Deno.mkdirSync(`${top}/q/public`);
        give(`${top}/q/public`, 65534);
      },
      [
        "queue_directory: /q/public belongs to nobody, not to root: look at what it holds, then chown root /q/public",
      ],
    ],
    ["a directory for the pid file of somebody else", (top) => give(`${top}/q/pid`, STRANGER), [
      "process_id_directory: /q/pid belongs to 5000, not to root: look at what it holds, then chown root /q/pid",
    ]],
    [
      "a link on the way that its owner may change",
      (top) => {
        Deno.mkdirSync(`${top}/home`);
        Deno.renameSync(`${top}/q`, `${top}/home/q`);
        Deno.symlinkSync(`home/q`, `${top}/q`);
        Deno.chmodSync(top, 0o1777);
        give(`${top}/q`, STRANGER);
      },
      [
        "queue_directory: /q is reached by the link /q, which 5000 may change: name the place that it leads to",
      ],
    ],
    ["a link that only root may change", (top) => {
      Deno.renameSync(`${top}/q`, `${top}/other`);
      Deno.symlinkSync(`other`, `${top}/q`);
    }, []],
    ["a log that is a link", (top) => Deno.symlinkSync("/etc/passwd", `${top}/log/maillog`), [
      "maillog_file: /log/maillog is a symbolic link of root: put a regular file in its place",
    ]],
    ["a log with two names", (top) => {
      Deno.writeTextFileSync(`${top}/secret`, "");
      Deno.linkSync(`${top}/secret`, `${top}/log/maillog`);
    }, ["maillog_file: /log/maillog of root has 2 links: put a copy in its place"]],
    ["a log that is a pipe", (top) => {
      new Deno.Command("mkfifo", { args: [`${top}/log/maillog`] }).outputSync();
    }, ["maillog_file: /log/maillog of root is not a regular file: move it away"]],
    [
      "root's file where the roles' user keeps the log",
      (top) => {
        Deno.writeTextFileSync(`${top}/log/maillog`, "");
        give(`${top}/log`, 65534);
      },
      [
        "maillog_file: /log/maillog belongs to root, not to nobody: look at what it holds, then chown nobody /log/maillog",
      ],
    ],
    [
      "root's file where only root keeps files",
      (top) => Deno.writeTextFileSync(`${top}/log/maillog`, ""),
      [],
    ],
  ] as readonly [string, (top: string) => void, readonly string[]][]
) {
  Deno.test({
    name: `of ${what} root is told ${expected.length ? "why it is refused" : "nothing"}`,
    ignore: Deno.uid() !== 0,
    fn: () => assertEquals(said(arrange), expected),
  });
}

Deno.test({
  name: "another user than root is told whose the queue is, and what he can do",
  ignore: Deno.uid() !== 0,
  fn() {
    // We stand for somebody who has the number 0.
    const user: Host = { root: false, mailOwner: null, nameServers: [] };
    assertEquals(said((top) => give(`${top}/q`, STRANGER), user), [
      "queue_directory: /q belongs to 5000, not to root: start as 5000, or have root chown -R root /q",
    ]);
    const locked = said((top) => {
      Deno.mkdirSync(`${top}/q/maildrop`);
      give(`${top}/q/maildrop`, STRANGER);
    }, user);
    assertEquals(locked, [
      "queue_directory: /q/maildrop belongs to 5000, not to root: have root chown -R root /q",
    ]);
  },
});

Deno.test("a place behind a file is a problem, too", () => {
  const found = said((top) => {
    Deno.removeSync(`${top}/q`, { recursive: true });
    Deno.writeTextFileSync(`${top}/q`, "");
  });
  assertMatch(found[0]!, /^queue_directory: /);
});

for (
  const [what, queue, syslogName] of [
    ["a queue whose path is long", `/srv/${"q".repeat(75)}`, "postfix"],
    ["a queue whose path is long in bytes", `/srv/${"\u00e4".repeat(40)}`, "postfix"],
    ["a long name in the log", "/srv/q", "postfix".repeat(12)],
  ] as const
) {
  Deno.test(`${what} leaves no room for the names of sockets`, () => {
    const user: Host = { root: false, mailOwner: null, nameServers: [] };
    const main = `queue_directory = ${queue}\nsyslog_name = ${syslogName}\nmaillog_file = /l/m`;
    assertMatch(
      placeProblems(configured(main, ""), user).map(({ text }) => text).join(),
      /\/s is longer than a socket's path may be \(107\): choose a shorter directory$/,
    );
  });
}
