/** Finds what is wrong with a configuration that can be read: unknown names, bad values, daemons that are not there. */

import { reason } from "../errors.ts";
import { portNames } from "../net/port.ts";
import { catalogue, postfixDefault, suffixes } from "../parameters/mod.ts";
import { isInterface } from "../parameters/parsers.ts";
import type { Configuration } from "./configuration.ts";
import { COMPUTED } from "./facts.ts";
import { daemon, inetDaemons, parametersOfDaemon } from "./daemons.ts";
import { referencedNames } from "./expand.ts";
import { inetName } from "./inet_name.ts";
import type { MasterEntry } from "./master_cf.ts";
import { type Place, type Problem, problem } from "./problem.ts";

/** All problems of names, values and services; expanding texts adds to `reported` what is wrong with those. */
export function lineProblems(
  configuration: Configuration,
  reported: readonly Problem[],
): Problem[] {
  const broken = (name: string) =>
    reported.some(({ severity, parameter }) => severity === "fatal" && parameter === name);
  return [
    ...checkNames(configuration),
    ...checkServices(configuration),
    // A text that cannot be expanded is reported once, not also as a bad value.
    ...[
      ...checkValues(configuration),
      ...configuration.services.flatMap((service) => checkOverridden(configuration, service)),
    ].filter(({ parameter }) => !broken(parameter)),
  ];
}

/** Names that have no effect: misspelt, not supported, or computed by the system. */
function checkNames(configuration: Configuration): Problem[] {
  const { main, master, services } = configuration;
  const problems: Problem[] = [];
  const check = (name: string, place: Place, other?: string) => {
    const text = complaint(name, configuration) ?? other;
    if (text) problems.push(problem("warning", place, name, text));
  };
  for (const { name, line } of main.entries.values()) check(name, { file: main.file, line });
  for (const service of services) {
    const place = { file: master.file, line: service.line };
    const read = service.overrides.size ? namesReadBy(configuration, service) : undefined;
    const unread =
      `has no effect on ${service.command}, which does not read it: main.cf alone sets it`;
    for (const name of service.overrides.keys()) {
      check(name, place, read && !read.has(name) ? unread : undefined);
    }
  }
  return problems;
}

/** What a service is told of main.cf, with all that this refers to; undefined for one that is not a role. */
function namesReadBy(
  configuration: Configuration,
  service: MasterEntry,
): ReadonlySet<string> | undefined {
  const declared = parametersOfDaemon(service.command);
  if (!declared) return undefined;
  const names = new Set(Object.values(declared).map(({ name }) => name));
  for (const name of service.overrides.keys()) {
    const { suffix } = configuration.transportParameter(name) ?? {};
    const own = suffix && suffixes.get(suffix);
    if (own && names.has(own.name)) names.add(name);
  }
  // What is added is looked at, too.
  for (const name of names) {
    for (const each of referencedNames(configuration.raw(name, service) ?? "")) names.add(each);
  }
  return names;
}

function complaint(
  name: string,
  configuration: Configuration,
): string | undefined {
  if (COMPUTED.has(name)) return "is computed: setting it has no effect";
  if (catalogue.has(name)) return undefined;
  const own = configuration.transportParameter(name);
  if (own && suffixes.has(own.suffix)) return undefined;
  if (own || postfixDefault(name) !== undefined) {
    return "is a parameter of Postfix that Postern does not support yet: it has no effect";
  }
  if (configuration.userDefined.has(name)) return undefined;
  return `unknown parameter, it has no effect${suggestion(name)}`;
}

/** ": is X meant?" when one supported name differs by a letter or two. */
function suggestion(name: string): string {
  for (const known of catalogue.keys()) {
    if (Math.abs(known.length - name.length) <= 1 && near(known, name)) {
      return `: is ${known} meant?`;
    }
  }
  return "";
}

/** True when one changed, missing, added or swapped pair of letters makes them equal. */
function near(a: string, b: string): boolean {
  let start = 0;
  while (start < a.length && a[start] === b[start]) start++;
  const x = a.slice(start), y = b.slice(start);
  return x.slice(1) === y.slice(1) || x.slice(1) === y || x === y.slice(1) ||
    x[0] === y[1] && x[1] === y[0] && x.slice(2) === y.slice(2);
}

/** Those whom Postfix's own master.cf has woken: here they wake up by themselves. */
const WOKEN = ["pickup", "qmgr"];

function checkServices({ master, services }: Configuration): Problem[] {
  const problems: Problem[] = [];
  for (const { name, type, command, line, wakeup, options, arguments: words } of services) {
    const place = { file: master.file, line };
    const what = daemon(command);
    if (what === "role" && options.length) {
      const text = `${options.join(" ")}: has no effect: "postern role" shows a role at work`;
      problems.push(problem("warning", place, name, text));
    }
    if (what === "role" && wakeup && !WOKEN.includes(command)) {
      const text = `wakeup: has no effect on ${command}: must be -`;
      problems.push(problem("warning", place, name, text));
    }
    const inet = type === "inet" ? inetName(name) : undefined;
    if (what === "missing") {
      const text = `${command} is not built yet: the service is not started`;
      problems.push(problem("warning", place, name, text));
    } else if (what === undefined) {
      const text = `no such daemon: ${command}`;
      problems.push(problem("fatal", place, name, text));
    } else if (type === "inet" && !inetDaemons.includes(command)) {
      const text = `${command} does not serve inet connections, only ${
        inetDaemons.join(", ")
      } does: must be unix`;
      problems.push(problem("fatal", place, name, text));
    } else if (type === "inet" && !inet) {
      const text = `must be a port, host:port or [host]:port; ports are numbers or ${
        portNames.join(", ")
      }`;
      problems.push(problem("fatal", place, name, text));
    } else if (what === "role" && words.length) {
      const text = `${command} takes no arguments but -o name=value: is "${words.join(" ")}"`;
      problems.push(problem("fatal", place, name, text));
    } else if (inet?.host && !isInterface(inet.host)) {
      const text = "must have an address before the port: names are not looked up";
      problems.push(problem("fatal", place, name, text));
    }
  }
  return problems;
}

/** Every supported parameter is parsed, and every text of main.cf is expanded at least once. */
function checkValues(configuration: Configuration): Problem[] {
  const problems: Problem[] = [];
  for (const name of new Set([...configuration.main.entries.keys(), ...catalogue.keys()])) {
    configuration.value(name);
    const caution = catalogue.get(name)?.caution?.(configuration.value(name));
    if (caution) problems.push(problem("warning", configuration.blame(name), name, caution));
    const error = failure(configuration, name);
    if (error) problems.push(problem("fatal", configuration.blame(name), ...error));
  }
  return problems.filter((each) => !isEcho(each, problems, configuration));
}

/** True for a default's problem that is the one of a name which it refers to: `$mynetworks` is bad once. */
function isEcho(
  { parameter, file, line, text }: Problem,
  problems: readonly Problem[],
  { main }: Configuration,
): boolean {
  return !main.entries.has(parameter) &&
    problems.some((each) =>
      each.file === file && each.line === line && each.text === text &&
      main.entries.has(each.parameter)
    );
}

/** The same under a service's overrides, where they make a difference. */
function checkOverridden(configuration: Configuration, service: MasterEntry): Problem[] {
  if (!service.overrides.size) return [];
  const problems: Problem[] = [];
  for (const name of new Set([...catalogue.keys(), ...service.overrides.keys()])) {
    const text = configuration.value(name, service);
    if (text === configuration.value(name) && !service.overrides.has(name)) continue;
    const error = failure(configuration, name, service);
    const place = { file: configuration.master.file, line: service.line };
    if (error) problems.push(problem("fatal", place, ...error));
  }
  return problems;
}

/** Why a parameter's text is not a value of it. */
function failure(
  configuration: Configuration,
  name: string,
  service?: MasterEntry,
): [string, string] | undefined {
  const suffix = configuration.transportParameter(name)?.suffix ?? "";
  const parameter = catalogue.get(name) ?? suffixes.get(suffix);
  if (!parameter) return undefined;
  const text = configuration.value(name, service);
  try {
    parameter.parse(parameter.suffix ? JSON.stringify({ "": text }) : text);
    return undefined;
  } catch (error) {
    return [name, reason(error)];
  }
}
