/** What the configuration needs to know of the host and of this program, and where the configuration is. */

import { dirname, fromFileUrl, join, resolve } from "@std/path";

/** This program's version: `mail_version`. */
const VERSION = "0.1.0";

/** A test injects its own. */
export interface Facts {
  /** The host's name, perhaps without a domain. */
  readonly hostname: string;
  /** The absolute path of the clone, or of the directory of the compiled program: `$repository`. */
  readonly repository: string;
  /** Where config/ is, when that is not the repository: inside the compiled program. */
  readonly shipped?: string;
  readonly version: string;
}

/** Names that are known from the facts or from the service; main.cf cannot set them. */
export const COMPUTED: ReadonlySet<string> = new Set([
  "config_directory",
  "postern_version",
  "process_name",
  "repository",
  "service_name",
  "system_domain",
  "system_hostname",
]);

/** The facts of this host and this clone. */
export function systemFacts(): Facts {
  const source = resolve(fromFileUrl(new URL("../..", import.meta.url)));
  const host = { hostname: Deno.hostname(), version: VERSION };
  if (!Deno.build.standalone) return { ...host, repository: source };
  return { ...host, repository: dirname(Deno.execPath()), shipped: source };
}

export interface Found {
  readonly directory: string;
  /** A configuration that was passed over, and how to use it. */
  readonly hint?: string;
}

/**
 * The configuration directory: `-c DIR`, else $MAIL_CONFIG, else /etc/postern where that has a main.cf, else the clone's
 * config/. A clone is often tried out on a host that has a Postfix of its own: only with POSTERN_USE_POSTFIX_CONFIG=yes does
 * /etc/postfix come before config/.
 */
export function findConfigDirectory(
  explicit: string | undefined,
  env: (name: string) => string | undefined,
  repository: string,
  hasMainCf: (directory: string) => boolean = containsMainCf,
): Found {
  const named = explicit ?? env("MAIL_CONFIG");
  if (named) return { directory: resolve(named) };
  if (hasMainCf("/etc/postern")) return { directory: "/etc/postern" };
  const own = join(repository, "config");
  if (!hasMainCf("/etc/postfix")) return { directory: own };
  if (env("POSTERN_USE_POSTFIX_CONFIG") === "yes") return { directory: "/etc/postfix" };
  const hint = "/etc/postfix/main.cf is there and is not used: " +
    "to use it, say -c /etc/postfix, or set POSTERN_USE_POSTFIX_CONFIG=yes";
  return { directory: own, hint };
}

function containsMainCf(directory: string): boolean {
  try {
    return Deno.statSync(join(directory, "main.cf")).isFile;
  } catch {
    return false;
  }
}
