/** The certificate chain and the key of the SMTP server, which no role could read by itself. */

import { createPrivateKey, X509Certificate } from "node:crypto";
import type { Configuration } from "../../shared/config/configuration.ts";
import type { MasterEntry } from "../../shared/config/master_cf.ts";
import { ConfigError, reason } from "../../shared/errors.ts";
import { splitList } from "../../shared/parameters/split_list.ts";
import type { TlsMaterial } from "../../shared/role/control_messages.ts";

/** A file of keys that cannot be read. */
export class KeyFileError extends ConfigError {
  constructor(readonly parameter: string, readonly text: string, readonly denied: boolean) {
    super(`${parameter}: ${text}`);
  }
}

/** True where a service has them. */
export function hasTlsMaterial(configuration: Configuration, service: MasterEntry): boolean {
  return chainFilesOf(configuration, service).length > 0 ||
    certificateFile(configuration, service) !== "";
}

/** Reads those of a service, whose line of master.cf may name its own; null where none are configured. Throws KeyFileError. */
export function readTlsMaterial(
  configuration: Configuration,
  service: MasterEntry | undefined,
): TlsMaterial | null {
  const chainFiles = chainFilesOf(configuration, service);
  if (chainFiles.length) {
    const all = chainFiles.map((file) => read(file, "smtpd_tls_chain_files")).join("\n");
    return { chain: all, key: all };
  }
  const cert = certificateFile(configuration, service);
  if (!cert) return null;
  const key = configuration.value("smtpd_tls_key_file", service) || cert;
  return { chain: read(cert, "smtpd_tls_cert_file"), key: read(key, "smtpd_tls_key_file") };
}

/** The files that have both the key and the chain, which count before the others. */
export function chainFilesOf(
  configuration: Configuration,
  service: MasterEntry | undefined,
): string[] {
  return splitList(configuration.value("smtpd_tls_chain_files", service));
}

/** Empty where there is none. */
function certificateFile(configuration: Configuration, service: MasterEntry | undefined): string {
  const file = configuration.value("smtpd_tls_cert_file", service);
  return file === "none" ? "" : file;
}

function read(file: string, parameter: string): string {
  try {
    return Deno.readTextFileSync(file);
  } catch (error) {
    const denied = error instanceof Deno.errors.PermissionDenied;
    const why = error instanceof Deno.errors.NotFound
      ? "no such file"
      : denied
      ? "permission denied"
      : reason(error);
    throw new KeyFileError(parameter, `cannot read ${file}: ${why}`, denied);
  }
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^]*?-----END CERTIFICATE-----/;
const KEY = /-----BEGIN ([A-Z]+ )?PRIVATE KEY-----[^]*?-----END \1?PRIVATE KEY-----/;

/** Why handshakes would fail with them; undefined when they fit together, or are of a kind that cannot be judged here. */
export function tlsMaterialProblem({ chain, key }: TlsMaterial): string | undefined {
  const [certificate] = CERTIFICATE.exec(chain) ?? [];
  if (!certificate) return "has no certificate in PEM form (-----BEGIN CERTIFICATE-----)";
  const [privateKey] = KEY.exec(key) ?? [];
  if (!privateKey) return "has no private key in PEM form (-----BEGIN PRIVATE KEY-----)";
  try {
    const fits = new X509Certificate(certificate).checkPrivateKey(createPrivateKey(privateKey));
    return fits ? undefined : "the private key is not the one of the certificate";
  } catch {
    return undefined;
  }
}
