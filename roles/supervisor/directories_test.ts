import { assertEquals, assertThrows } from "@std/assert";
import { ConfigError } from "../../shared/errors.ts";
import type { Host } from "../../policies/grant.ts";
import { bindDirectory, socketDirectory, socketPath } from "../../shared/layout.ts";
import {
  clearSocket,
  makeDirectories,
  makeLogFile,
  makeMailboxBase,
  makeOwned,
  openService,
  placeSocket,
} from "./directories.ts";

const ROOT: Host = {
  root: true,
  mailOwner: { name: "nobody", uid: 65534, gid: 65534 },
  nameServers: [],
};

Deno.test({
  name: "who may flush is decided by the service's directory, at start and at reload",
  ignore: Deno.uid() !== 0,
  fn() {
    const queue = Deno.makeTempDirSync();
    const mode = () => Deno.statSync(socketDirectory(queue, "flush")).mode! & 0o777;
    try {
      makeDirectories(queue, ROOT);
      openService(queue, "flush", true, ROOT);
      clearSocket(queue, "flush", ROOT);
      assertEquals(mode(), 0o755);
      openService(queue, "flush", false, ROOT);
      clearSocket(queue, "flush", ROOT);
      assertEquals(mode(), 0o710);
      openService(queue, "flush", true, ROOT);
      assertEquals(mode(), 0o755);
    } finally {
      Deno.removeSync(queue, { recursive: true });
    }
  },
});

Deno.test("nobody reaches the supervisor's socket before it has its mode", () => {
  const queue = Deno.makeTempDirSync();
  try {
    const host = Deno.uid() === 0 ? ROOT : { root: false, mailOwner: null, nameServers: [] };
    makeDirectories(queue, host);
    clearSocket(queue, "control", host);
    assertEquals(Deno.statSync(socketDirectory(queue, "control")).mode! & 0o777, 0o700);
  } finally {
    Deno.removeSync(queue, { recursive: true });
  }
});

for (const [what, link] of [["a symbolic", Deno.symlinkSync], ["a hard", Deno.linkSync]] as const) {
  Deno.test(`${what} link in a socket's place changes nobody's mode, and gets nowhere`, () => {
    const queue = Deno.makeTempDirSync();
    const foreign = `${queue}/foreign`, from = `${bindDirectory(queue, "flush")}/1`;
    try {
      Deno.mkdirSync(bindDirectory(queue, "flush"), { recursive: true });
      Deno.writeTextFileSync(foreign, "", { mode: 0o600 });
      link(foreign, from);
      const host: Host = { root: false, mailOwner: null, nameServers: [] };
      assertThrows(() => placeSocket(queue, "flush", from, host));
      assertEquals(Deno.statSync(foreign).mode! & 0o777, 0o600);
      assertThrows(() => Deno.lstatSync(socketPath(queue, "flush")), Deno.errors.NotFound);
    } finally {
      Deno.removeSync(queue, { recursive: true });
    }
  });
}

Deno.test("a directory in a socket's place gives way, and what a link in it leads to stays", () => {
  const queue = Deno.makeTempDirSync(), path = socketPath(queue, "dns");
  try {
    Deno.mkdirSync(`${path}/x`, { recursive: true });
    Deno.symlinkSync(queue, `${path}/queue`);
    Deno.writeTextFileSync(`${queue}/mail`, "");
    clearSocket(queue, "dns", { root: false, mailOwner: null, nameServers: [] });
    assertThrows(() => Deno.lstatSync(path), Deno.errors.NotFound);
    assertEquals(Deno.statSync(`${queue}/mail`).isFile, true);
  } finally {
    Deno.removeSync(queue, { recursive: true });
  }
});

/** What each of these is given when it is there already. */
const MADE = [
  ["the log", "file", (path: string) => makeLogFile(path, ROOT.mailOwner)],
  ["a role's directory", "directory", (path: string) => makeOwned(path, ROOT.mailOwner)],
] as const;

for (const [what, kind, make] of MADE) {
  Deno.test({
    name: `a link in the place of ${what} gives nothing away`,
    ignore: Deno.uid() !== 0,
    fn() {
      const top = Deno.makeTempDirSync(), secret = `${top}/secret`;
      try {
        if (kind === "file") Deno.writeTextFileSync(secret, "");
        else Deno.mkdirSync(secret);
        Deno.chmodSync(secret, 0o711);
        Deno.symlinkSync(secret, `${top}/name`);
        assertThrows(() => make(`${top}/name`), ConfigError, "is a symbolic link of root");
        const { uid, mode } = Deno.statSync(secret);
        assertEquals([uid, mode! & 0o7777], [0, 0o711]);
      } finally {
        Deno.removeSync(top, { recursive: true });
      }
    },
  });

  Deno.test({
    name: `${what} of somebody else is not taken from him`,
    ignore: Deno.uid() !== 0,
    fn() {
      const top = Deno.makeTempDirSync(), path = `${top}/name`;
      try {
        if (kind === "file") Deno.writeTextFileSync(path, "");
        else Deno.mkdirSync(path);
        Deno.chownSync(path, 5000, 5000);
        assertThrows(() => make(path), ConfigError, "belongs to 5000, not to nobody");
        assertEquals(Deno.statSync(path).uid, 5000);
      } finally {
        Deno.removeSync(top, { recursive: true });
      }
    },
  });
}

/** Who writes the mailboxes: one user for all, or one that may give each to its owner. */
const ONE = { user: { name: "vmail", uid: 5000, gid: 5000 }, capabilities: [] };
const MANY = { user: ROOT.mailOwner, capabilities: ["chown", "dac_override", "fowner"] };

/** Runs a test on a path whose directory is there; answers what the path is afterwards. */
function base(test: (path: string) => void): string {
  const top = Deno.makeTempDirSync();
  try {
    test(`${top}/mail`);
    const { uid, gid, mode } = Deno.statSync(`${top}/mail`);
    return `${uid}:${gid} ${(mode! & 0o7777).toString(8)}`;
  } finally {
    Deno.removeSync(top, { recursive: true });
  }
}

/** A directory that others made. */
function foreign(path: string, uid: number, mode: number): void {
  Deno.mkdirSync(path);
  Deno.chmodSync(path, mode);
  Deno.chownSync(path, uid, uid);
}

for (
  const [what, writer, made] of [
    ["is closed when all mailboxes have one owner", ONE, "5000:5000 700"],
    ["can be passed when they have several", MANY, "65534:65534 711"],
  ] as const
) {
  Deno.test({
    name: `a new directory of mailboxes ${what}, and the next start finds it usable`,
    ignore: Deno.uid() !== 0,
    fn() {
      const found = base((path) => {
        makeMailboxBase(path, writer);
        makeMailboxBase(path, writer);
      });
      assertEquals(found, made);
    },
  });
}

for (
  const [what, writer, uid, mode] of [
    ["of the user who writes it", ONE, 5000, 0o2750],
    ["that all may write to", ONE, 0, 0o1777],
    ["of root, with mailboxes of many", MANY, 0, 0o755],
  ] as const
) {
  Deno.test({
    name: `a directory of mailboxes ${what} keeps its owner and mode`,
    ignore: Deno.uid() !== 0,
    fn() {
      const found = base((path) => {
        foreign(path, uid, mode);
        makeMailboxBase(path, writer);
      });
      assertEquals(found, `${uid}:${uid} ${mode.toString(8)}`);
    },
  });
}

Deno.test({
  name: "a directory that the role cannot use stops the start, and stays as it is",
  ignore: Deno.uid() !== 0,
  fn() {
    const found = base((path) => {
      foreign(path, 0, 0o755);
      assertThrows(
        () => makeMailboxBase(path, ONE),
        ConfigError,
        "belongs to 0:0, its mode is 0755, and vmail has to write there: give it to vmail with mode 0700",
      );
    });
    assertEquals(found, "0:0 755");
  },
});
