/** The parameters of the supervisor: where the system lives, as whom it runs, how many processes it starts. */

import { ConfigError } from "../errors.ts";
import { parseLevel } from "../config/expand.ts";
import {
  choice,
  int,
  list,
  type Parameter,
  perTransport,
  text,
  time,
  type Values,
} from "./declare.ts";
import { addressing, identity, logging, network, queue } from "./global.ts";

const places = {
  configDirectory: text("config_directory", "/etc/postern", {
    doc: "The directory of main.cf and master.cf; known from -c or MAIL_CONFIG, not from main.cf.",
  }),
  processIdDirectory: text("process_id_directory", "pid", {
    doc: "The directory of the process id file, below queue_directory unless it begins with /.",
  }),
};

/** Who may use a public service: every local user, or root and the owner of the system alone. */
function users(name: string, fallback: string, notes: { doc: string }): Parameter<boolean> {
  return {
    name,
    fallback,
    ...notes,
    parse: isEverybody,
    caution: (text) =>
      isEverybody(text) || text === "root"
        ? undefined
        : "lists of users are not supported: root and the owner of the mail system may, nobody else",
  };
}

function isEverybody(text: string): boolean {
  return /^static:[^\s,]+$/.test(text);
}

const authorizations = {
  authorizedFlushUsers: users("authorized_flush_users", "static:anyone", {
    doc: "Who may flush the queue: static:anyone, or else root and the owner of the system.",
  }),
  authorizedMailqUsers: users("authorized_mailq_users", "static:anyone", {
    doc: "Who may list the queue: static:anyone, or else root and the owner of the system.",
  }),
};

const compatibilityLevel: Parameter<string> = {
  name: "compatibility_level",
  fallback: "3.11",
  doc: "Accepted for Postfix's sake: defaults are always those of the newest level.",
  parse(text) {
    parseLevel(text);
    return text;
  },
};

const processes = {
  mailOwner: {
    ...text("mail_owner", "postfix", {
      doc: "The user that roles run as when the system is started as root.",
    }),
    parse(text: string): string {
      if (!text) throw new ConfigError("must be a user's name: is empty");
      if (text === "root" || text === "0") throw new ConfigError("must not be root");
      return text;
    },
  },
  defaultProcessLimit: int("default_process_limit", "100", {
    min: 1,
    doc: "Where main.cf sets it: the most clients of an smtpd whose maxproc column is -.",
  }),
  defaultProcessCount: perTransport(
    int("default_process_count", "1", {
      min: 1,
      max: 64,
      own: true,
      doc: "How many processes answer a service; one serves many clients at a time.",
    }),
    "_process_count",
  ),
  sandbox: choice("sandbox", "auto", ["auto", "deno", "bwrap", "worker"], {
    own: true,
    doc:
      "What confines a role: deno alone, bwrap on top of it, auto: bwrap if it works, or worker: as a compiled binary does.",
  }),
  maxIdle: time("max_idle", "100s", {
    min: 1,
    doc: "A service that is started on request leaves after so long without work.",
  }),
  serviceThrottleTime: time("service_throttle_time", "60s", {
    min: 1,
    doc: "The longest pause before a service that died is started again.",
  }),
};

/** Read by the supervisor, for each smtpd by itself, and handed over as text: no role can read keys. */
export const keys = {
  smtpdTlsChainFiles: list("smtpd_tls_chain_files", "", {
    doc: "PEM files with the key and the certificate chain of the SMTP server.",
  }),
  smtpdTlsCertFile: text("smtpd_tls_cert_file", "", {
    doc: "The PEM file with the certificate chain of the SMTP server; empty or none is no TLS.",
  }),
  smtpdTlsKeyFile: text("smtpd_tls_key_file", "$smtpd_tls_cert_file", {
    doc: "The PEM file with the private key of smtpd_tls_cert_file.",
  }),
};

export const supervisorParameters = {
  ...identity,
  ...queue,
  ...logging,
  ...network,
  inetInterfaces: addressing.inetInterfaces,
  ...places,
  compatibilityLevel,
  ...authorizations,
  ...processes,
  ...keys,
};

/** What confines roles. */
export type Sandbox = Values<typeof supervisorParameters>["sandbox"];
