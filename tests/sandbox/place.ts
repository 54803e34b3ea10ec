/** A queue with every socket in place, tables, mailboxes and logs, in a temporary directory. */

import type { Host } from "../../policies/grant.ts";
import type { Settings } from "../../policies/settings.ts";
import { makeDirectories, makeLogFile, makeOwned } from "../../roles/supervisor/directories.ts";
import {
  databaseDirectory,
  logServiceOf,
  socketDirectory,
  socketPath,
} from "../../shared/layout.ts";

const TRANSPORTS = ["smtp", "virtual"];

/** Every service that rows answer or call, under the names that `settings` gives them. */
export const SERVICES = [
  "anvil",
  "bodies",
  "bounce",
  "cleanup",
  "control",
  "dns",
  "intake",
  "log",
  ...["cleanup", "error", "master", "qmgr", "smtp", "smtpd"].map((name) =>
    logServiceOf(`postfix/${name}`)
  ),
  "outcomes",
  "pickup",
  "queue",
  "rewrite",
  "showq",
  ...TRANSPORTS,
];

export class Place implements Disposable {
  readonly root = Deno.makeTempDirSync({ prefix: "postern-sandbox-" });
  readonly queue = `${this.root}/q`;
  readonly #listeners: { close(): void }[] = [];

  constructor(host: Host) {
    Deno.chmodSync(this.root, 0o755);
    makeDirectories(this.queue, host);
    makeLogFile(`${this.root}/log/maillog`, host.mailOwner);
    makeOwned(`${this.root}/mail`, host.mailOwner);
    Deno.mkdirSync(`${this.root}/etc`);
    Deno.writeTextFileSync(`${this.root}/etc/transport`, "example.com smtp:[127.0.0.1]:2626\n");
    const database = `${databaseDirectory(this.queue)}/queue.db`;
    Deno.writeTextFileSync(database, "not read by tests\n");
    if (host.mailOwner) Deno.chownSync(database, host.mailOwner.uid, host.mailOwner.gid);
    for (const service of SERVICES) this.#listen(service);
  }

  /** A configuration in which every row has all that it can have. */
  get settings(): Settings {
    const values: Record<string, string> = {
      queue_directory: this.queue,
      transport_maps: `texthash:${this.root}/etc/transport`,
      // Beside the sockets of services that smtp must not reach.
      virtual_transport: "lmtp:unix:private/lmtp",
      virtual_mailbox_base: `${this.root}/mail`,
      virtual_uid_maps: "inline:{ u1=1001, u2=1002 }",
      maillog_file: `${this.root}/log/maillog`,
      smtp_allowed_ports: "25",
      inet_protocols: "ipv4",
      dns_servers: "127.0.0.1:5353",
    };
    return {
      value: (name) => values[name] ?? "",
      services: TRANSPORTS.map((name) => ({ name, type: "unix", command: name })),
      logsToService: true,
      syslogName: () => "postfix",
      tables: new Map([["transport_maps", values["transport_maps"]!]]),
      readTable: (file) => Deno.readTextFileSync(file),
    };
  }

  [Symbol.dispose](): void {
    for (const listener of this.#listeners) listener.close();
    Deno.removeSync(this.root, { recursive: true });
  }

  #listen(service: string): void {
    Deno.mkdirSync(socketDirectory(this.queue, service), { recursive: true });
    const path = socketPath(this.queue, service);
    this.#listeners.push(Deno.listen({ transport: "unix", path }));
    // Who may connect is what is tried here, not whom the socket's mode lets in.
    Deno.chmodSync(path, 0o666);
  }
}
