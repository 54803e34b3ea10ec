/** main.cf and master.cf together: what every parameter is worth, for the whole system and for each service. */

import { join, resolve } from "@std/path";
import { reason } from "../errors.ts";
import { type Parameters, parseAll, type Values } from "../parameters/declare.ts";
import { catalogue, postfixDefault, splitTransport } from "../parameters/mod.ts";
import { Expander, referencedNames } from "./expand.ts";
import { COMPUTED, type Facts } from "./facts.ts";
import { lineProblems } from "./line_problems.ts";
import { type MainCf, parseMainCf } from "./main_cf.ts";
import { type MasterCf, type MasterEntry, parseMasterCf } from "./master_cf.ts";
import { REPLACEMENT, textOfFile } from "./named_file.ts";
import { inOrder, type Place, type Problem, problem } from "./problem.ts";

/** A configuration file is no larger; tables have files of their own. */
const MAX_FILE_BYTES = 16 << 20;

/** Reads main.cf and master.cf of a directory. What is wrong with them is in `problems`; nothing is thrown for it. */
export function loadConfiguration(directory: string, facts: Facts, hint?: string): Configuration {
  const absolute = resolve(directory);
  const problems: Problem[] = [];
  const read = (name: string): string => {
    const file = join(absolute, name);
    try {
      const text = textOfFile(file, MAX_FILE_BYTES);
      problems.push(...notText(file, text));
      return text;
    } catch (error) {
      problems.push(problem("fatal", { file, line: 0 }, "", `cannot be read: ${reason(error)}`));
      return "";
    }
  };
  if (hint) problems.push(problem("warning", { file: absolute, line: 0 }, "", hint));
  const main = parseMainCf(read("main.cf"), join(absolute, "main.cf"));
  const entries = withOrigin(main, (error, line) => {
    problems.push(problem("fatal", { file: main.file, line }, ORIGIN, error));
  });
  const master = parseMasterCf(read("master.cf"), join(absolute, "master.cf"));
  const readable = [...problems, ...master.problems].every(({ file }) => file !== master.file);
  if (readable && !master.services.length) {
    problems.push(problem("fatal", { file: master.file, line: 0 }, "", "has no services"));
  }
  return new Configuration(absolute, facts, { ...main, entries }, master, problems);
}

/** Whatever a line in another character set means, it is not what would be read. */
function notText(file: string, text: string): Problem[] {
  return text.split("\n").flatMap((line, n) =>
    line.includes(REPLACEMENT) && !line.trimStart().startsWith("#")
      ? [problem("fatal", { file, line: n + 1 }, "", "is not UTF-8")]
      : []
  );
}

/** As Debian has it: `myorigin = /etc/mailname` is the first line of that file. */
const ORIGIN = "myorigin";

function withOrigin(
  { entries }: MainCf,
  report: (error: string, line: number) => void,
): MainCf["entries"] {
  const origin = entries.get(ORIGIN);
  if (!origin?.raw.startsWith("/")) return entries;
  try {
    const [line] = textOfFile(origin.raw, MAX_FILE_BYTES).split("\n", 1);
    const content = line!.trim().replaceAll("$", "$$$$");
    return new Map([...entries, [ORIGIN, { ...origin, content }]]);
  } catch (error) {
    report(`${origin.raw} cannot be read: ${reason(error)}`, origin.line);
    return entries;
  }
}

export class Configuration {
  /** Everything that is wrong, in the order of the files. */
  readonly problems: readonly Problem[];
  /** The services of master.cf, also those that this system does not have. */
  readonly services: readonly MasterEntry[];
  /** Names that some text refers to, and those of restriction classes: users may define them. */
  readonly userDefined: ReadonlySet<string>;
  /** Why main.cf cannot be read at all; undefined when it can. */
  readonly unreadable: string | undefined;
  #transports: ReadonlySet<string>;
  #scopes = new Map<MasterEntry | undefined, Expander>();
  #reported: Problem[] = [];

  constructor(
    readonly directory: string,
    readonly facts: Facts,
    readonly main: MainCf,
    readonly master: MasterCf,
    problems: readonly Problem[] = [],
  ) {
    this.services = master.services;
    this.#transports = new Set(master.services.map(({ name }) => name));
    this.userDefined = namesInUse(main, master);
    this.unreadable = problems.find(({ file, severity }) =>
      severity === "fatal" && file === main.file
    )?.message;
    const found = lineProblems(this, this.#reported);
    const all = [...problems, ...main.problems, ...master.problems, ...this.#reported, ...found];
    this.problems = inOrder(all);
  }

  /** The same configuration with other raw texts for some parameters. */
  with(texts: Readonly<Record<string, string>>): Configuration {
    const changed = Object.entries(texts).map(([name, raw]) =>
      [name, { name, raw, line: 0 }] as const
    );
    const main = { ...this.main, entries: new Map([...this.main.entries, ...changed]) };
    return new Configuration(this.directory, this.facts, main, this.master);
  }

  /** The expanded text of a parameter; empty when there is none of this name. */
  value(name: string, service?: MasterEntry): string {
    return this.#scope(service).value(name);
  }

  /** The expanded texts of parameters by name, overrides of the service applied: ready to be handed over. */
  texts(declared: Parameters, service?: MasterEntry): Record<string, string> {
    return Object.fromEntries(
      Object.values(declared).map(({ name, suffix }): [string, string] => [
        name,
        suffix ? this.#perTransport(name, suffix, service) : this.value(name, service),
      ]),
    );
  }

  /** The typed values of parameters; throws ConfigError, where `problems` has a fatal one. */
  typed<P extends Parameters>(declared: P, service?: MasterEntry): Values<P> {
    return parseAll(declared, this.texts(declared, service));
  }

  /** This host's name as log lines have it, where no syslog daemon says it: as Postfix has it, the first of myhostname. */
  get logHostname(): string {
    return this.value("myhostname").split(".")[0]!;
  }

  /** The unexpanded text that counts for a name: from an override, main.cf or its default. */
  raw(name: string, service?: MasterEntry): string | undefined {
    if (COMPUTED.has(name)) return this.#computed(name, service)?.replaceAll("$", "$$$$");
    return service?.overrides.get(name) ?? this.main.entries.get(name)?.raw ?? this.fallback(name);
  }

  /** The unexpanded default of a name; undefined for one that nobody knows. */
  fallback(name: string): string | undefined {
    return catalogue.get(name)?.fallback ?? this.transportParameter(name)?.fallback ??
      postfixDefault(name);
  }

  /** Where to mend a name's value: its own place, or for a default the line of what the default refers to. */
  blame(name: string, service?: MasterEntry): Place {
    const own = this.placeOf(name, service);
    if (own.line || COMPUTED.has(name)) return own;
    return referencedNames(this.fallback(name) ?? "")
      .map((each) => this.placeOf(each, service)).find(({ line }) => line) ?? own;
  }

  /** True for a name that means something: a parameter of ours or of Postfix, or one that a text refers to. */
  knows(name: string): boolean {
    return COMPUTED.has(name) || this.fallback(name) !== undefined ||
      this.main.entries.has(name) && this.userDefined.has(name);
  }

  /** What `<transport>_...` is for a service of master.cf. */
  transportParameter(name: string): ReturnType<typeof splitTransport> {
    return splitTransport(name, this.#transports);
  }

  /** Where a name gets its text from: master.cf for an override, else main.cf; line 0 for a default. */
  placeOf(name: string, service?: MasterEntry): Place {
    if (service?.overrides.has(name)) return { file: this.master.file, line: service.line };
    return { file: this.main.file, line: this.main.entries.get(name)?.line ?? 0 };
  }

  #scope(service: MasterEntry | undefined): Expander {
    // A service without overrides is like any other, unless main.cf asks for the service's name.
    const named = this.userDefined.has("service_name") || this.userDefined.has("process_name");
    const key = service && (named || service.overrides.size) ? service : undefined;
    let scope = this.#scopes.get(key);
    if (!scope) {
      scope = new Expander({
        raw: (name) => this.#content(name, key) ?? this.raw(name, key),
        report: (severity, chain, text) => {
          // Where no override has a part in it, the same problem is reported for the whole system.
          if (key && !chain.some((name) => key.overrides.has(name))) return;
          const owner = chain.at(-1)!;
          const places = [...chain].reverse().map((name) => this.blame(name, key));
          const place = places.find(({ line }) => line) ?? places[0]!;
          this.#reported.push(problem(severity, place, owner, text));
        },
      });
      this.#scopes.set(key, scope);
    }
    return scope;
  }

  #content(name: string, service: MasterEntry | undefined): string | undefined {
    return service?.overrides.has(name) ? undefined : this.main.entries.get(name)?.content;
  }

  /** JSON: the default under "", and each transport's own where it is set. */
  #perTransport(name: string, suffix: string, service: MasterEntry | undefined): string {
    const own = [...this.#transports].filter((transport) =>
      service?.overrides.has(transport + suffix) || this.main.entries.has(transport + suffix)
    );
    return JSON.stringify(Object.fromEntries([
      ["", this.value(name, service)],
      ...own.map((transport) => [transport, this.value(transport + suffix, service)]),
    ]));
  }

  #computed(name: string, service: MasterEntry | undefined): string | undefined {
    switch (name) {
      case "config_directory":
        return this.directory;
      case "repository":
        return this.facts.repository;
      case "postern_version":
        return this.facts.version;
      case "system_hostname":
        return this.#systemHostname();
      case "system_domain":
        return this.#systemDomain(service);
      case "service_name":
        return service?.name ?? "";
      case "process_name":
        return service?.command ?? "";
    }
    return undefined;
  }

  /** A name without a domain gets the one of main.cf, else `localdomain`, as Postfix does. */
  #systemHostname(): string {
    const { hostname } = this.facts;
    if (hostname.includes(".")) return hostname;
    const domain = this.main.entries.get("mydomain")?.raw ?? "";
    return `${hostname || "localhost"}.${/^[^$]+$/.test(domain) ? domain : "localdomain"}`;
  }

  /** myhostname without its first label. */
  #systemDomain(service: MasterEntry | undefined): string {
    const host = this.value("myhostname", service);
    const dot = host.indexOf(".");
    return dot < 0 ? "localdomain" : host.slice(dot + 1);
  }
}

function namesInUse({ entries }: MainCf, { services }: MasterCf): Set<string> {
  const texts = [
    ...[...entries.values()].map(({ raw }) => raw),
    ...services.flatMap((service) => [...service.overrides.values(), ...service.arguments]),
  ];
  const classes = entries.get("smtpd_restriction_classes")?.raw ?? "";
  return new Set([...texts.flatMap(referencedNames), ...classes.split(/[\s,]+/)]);
}
