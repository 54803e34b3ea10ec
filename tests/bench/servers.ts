/** Starts what is measured: Postern from this clone, and Debian's Postfix where it is installed. */

import { isThere } from "../../policies/bwrap.ts";
import { find, run } from "../support/peers.ts";
import { freePort, System } from "../support/system.ts";
import type { Server } from "./cases.ts";
import { pause } from "../support/waiting.ts";

/**
 * Where the servers have their files from now on. ext4 spreads what is made there over the disk, as it does at its top: without
 * a journal it looks, whenever it makes a file, through all that was deleted nearby within minutes, and a server would pay for
 * what another has deleted.
 */
export async function makePlaces(): Promise<string> {
  const places = await Deno.makeTempDir({ prefix: "bench-" });
  await Deno.chmod(places, 0o755);
  // Other file systems do not know it.
  await run("chattr", ["+T", places]).catch(() => {});
  Deno.env.set("TMPDIR", places);
  return places;
}

/** Postern with its kernel sandbox where bubblewrap works, and with a log file as the yardstick has. */
export async function startPostern(sinkPort: number): Promise<Server> {
  const system = await System.prepare();
  const log = `${system.directory}/log`;
  await system.configure({
    sink: `smtp:[127.0.0.1]:${sinkPort}`,
    main: [`sandbox = ${await sandbox()}`, `maillog_file = ${log}/maillog`].join("\n"),
  });
  await Deno.mkdir(log);
  if (Deno.uid() === 0) await Deno.chown(log, 65534, 65534);
  await system.start();
  return {
    name: "postern",
    port: system.port,
    maildir: `${system.mail}/u1`,
    stop: () => system[Symbol.asyncDispose](),
  };
}

async function sandbox(): Promise<string> {
  const bwrap = find("bwrap");
  if (!bwrap) return "auto";
  const works = await run(bwrap, ["--unshare-net", "--ro-bind", "/", "/", "true"]).then(
    () => true,
    () => false,
  );
  return works ? "bwrap" : "auto";
}

/** Why there is no yardstick here; undefined when there can be one. */
export function noYardstick(): string | undefined {
  if (Deno.uid() !== 0) return "Postfix needs root";
  return isThere("/usr/share/postfix/master.cf.dist") ? undefined : "Postfix is not installed";
}

const NOBODY = 65534;

/**
 * A Postfix of its own in `directory`, set as this system is by default; needs root. It starts again for each measurement on
 * the queue that it had before, as Postfix does on a host: what it has deleted there is a part of what it costs.
 */
export async function preparePostfix(
  sinkPort: number,
  directory: string,
): Promise<() => Promise<Server>> {
  const configuration = `${directory}/conf`, mail = `${directory}/mail`, port = await freePort();
  for (const each of [`${configuration}/dynamicmaps.cf.d`, mail]) {
    await Deno.mkdir(each, { recursive: true });
  }
  for (const each of ["queue", "data"]) await Deno.mkdir(`${directory}/${each}`);
  await Deno.chown(mail, NOBODY, NOBODY);
  await run("chown", ["postfix", `${directory}/data`]);
  for (const file of ["postfix-files", "dynamicmaps.cf"]) {
    await Deno.copyFile(`/etc/postfix/${file}`, `${configuration}/${file}`).catch(() => {});
  }
  const master = await Deno.readTextFile("/usr/share/postfix/master.cf.dist");
  await Deno.writeTextFile(
    `${configuration}/master.cf`,
    master.replace(/^smtp {6}inet.*/m, `127.0.0.1:${port} inet n - n - - smtpd`)
      .replace(/^([a-z][^ ]* +[a-z]* +[-yn] +[-yn] +)y/gm, "$1n"),
  );
  await Deno.writeTextFile(`${configuration}/main.cf`, postfixMain(directory, sinkPort));
  const postfix = find("smtp-source")!.replace("smtp-source", "postfix");
  return async () => {
    await run(postfix, ["-c", configuration, "start"]);
    await pause(2000);
    return {
      name: "postfix",
      port,
      maildir: `${mail}/u1`,
      async stop() {
        await run(postfix, ["-c", configuration, "stop"]);
      },
    };
  };
}

function postfixMain(directory: string, sinkPort: number): string {
  return `
compatibility_level = 3.6
config_directory = ${directory}/conf
queue_directory = ${directory}/queue
data_directory = ${directory}/data
mail_owner = postfix
setgid_group = postdrop
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
myhostname = mx.bench.test
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
relay_domains = sink.test
virtual_mailbox_domains = box.test
virtual_mailbox_base = ${directory}/mail
virtual_mailbox_maps = static:u1/
virtual_uid_maps = static:${NOBODY}
virtual_gid_maps = static:${NOBODY}
virtual_minimum_uid = 100
transport_maps = inline:{ {sink.test=smtp:[127.0.0.1]:${sinkPort}} }
smtpd_client_connection_count_limit = 0
disable_dns_lookups = yes
smtp_host_lookup = native
maillog_file = ${directory}/maillog
maillog_file_prefixes = ${directory}
biff = no
`;
}
