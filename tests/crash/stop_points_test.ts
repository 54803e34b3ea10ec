/**
 * A role is stopped between two steps of a message's way and killed there: it alone, or everything in the same instant.
 * One message each; its copies are counted where it was to arrive. Two copies are right only where an agent has
 * delivered and the outcome was lost with the processes that knew it.
 */

import { assert, assertEquals } from "@std/assert";
import { STOP_POINTS, type StopPoint } from "../../shared/stop_points.ts";
import { marked } from "../support/load.ts";
import { KILLS_ALL, STRIDE } from "./extent.ts";
import { AUTHOR, DEFERRED, REFUSED, Scene } from "./scene.ts";

/**
 * `middling` content is in a segment, `large` content in a file of its own; `submitted` comes by sendmail, `bounced` must be
 * reported once; so must the first attempt of `traced` mail, which is delivered at the second, and `verified` mail, which is
 * not delivered at all.
 */
type Kind =
  | "relayed"
  | "local"
  | "middling"
  | "large"
  | "submitted"
  | "bounced"
  | "deferred"
  | "traced"
  | "verified";
type Victim = "it alone" | "everything";

/** How often the message, or the report about it, arrives: one number, or what a race allows. */
type Copies = number | readonly number[];

interface Row {
  readonly role: string;
  readonly point: StopPoint;
  readonly kind: Kind;
  /** True when the client can hear 250 although the role was killed. */
  readonly accepted: boolean;
  readonly copies: Readonly<Record<Victim, Copies>>;
}

const TIMES = ["never", "once", "twice"];
const ONCE = { "it alone": 1, everything: 1 } as const;
const NEVER = { "it alone": 0, everything: 0 } as const;
/** The outcome lives on in the agent, unless that is killed too. */
const AGENT_KNOWS = { "it alone": 1, everything: 2 } as const;
const TWICE = { "it alone": 2, everything: 2 } as const;

const rows: readonly Row[] = [
  row("smtpd", "smtpd.queued", "relayed", false, ONCE),
  row("cleanup", "cleanup.received", "relayed", false, NEVER),
  row("cleanup", "cleanup.queued", "relayed", false, ONCE),
  row("pickup", "pickup.received", "submitted", true, ONCE),
  row("pickup", "pickup.queued", "submitted", true, ONCE),
  row("qmgr", "intake.received", "relayed", false, NEVER),
  row("qmgr", "intake.content_written", "large", false, NEVER),
  row("qmgr", "bodies.kept", "large", false, NEVER),
  row("qmgr", "commit.before", "relayed", false, NEVER),
  row("qmgr", "store.written", "relayed", false, NEVER),
  row("qmgr", "store.pieces_synced", "middling", false, NEVER),
  row("qmgr", "store.written", "middling", false, NEVER),
  // What was committed is there unless the machine fails as well.
  row("qmgr", "store.unsynced", "relayed", false, ONCE),
  row("qmgr", "commit.after", "relayed", false, ONCE),
  row("qmgr", "commit.after", "middling", false, ONCE),
  row("qmgr", "commit.after", "large", false, ONCE),
  row("qmgr", "outcome.received", "relayed", true, AGENT_KNOWS),
  row("qmgr", "outcome.received", "local", true, AGENT_KNOWS),
  row("qmgr", "outcome.before", "bounced", true, ONCE),
  row("qmgr", "outcome.after", "bounced", true, ONCE),
  row("qmgr", "bounce.before_notice", "bounced", true, ONCE),
  row("qmgr", "bounce.after_notice", "bounced", true, ONCE),
  row("bounce", "notice.queued", "bounced", true, ONCE),
  row("qmgr", "outcome.after", "verified", true, ONCE),
  row("qmgr", "bounce.after_notice", "verified", true, ONCE),
  row("bounce", "notice.queued", "verified", true, ONCE),
  row("qmgr", "bounce.before_notice", "traced", true, ONCE),
  row("qmgr", "bounce.after_notice", "traced", true, ONCE),
  row("bounce", "notice.queued", "traced", true, ONCE),
  row("qmgr", "requeue.after", "traced", true, ONCE),
  row("qmgr", "requeue.before", "deferred", true, ONCE),
  row("qmgr", "requeue.after", "deferred", true, ONCE),
  row("qmgr", "activate.before", "deferred", true, ONCE),
  row("qmgr", "activate.after", "deferred", true, ONCE),
  row("qmgr", "remove.before", "relayed", true, AGENT_KNOWS),
  row("qmgr", "remove.before", "bounced", true, ONCE),
  row("qmgr", "remove.after", "relayed", true, ONCE),
  // The first commit takes the message in, the second removes it.
  row("qmgr", "store.committed:2", "middling", true, ONCE),
  row("qmgr", "store.committed:2", "large", true, ONCE),
  // What was on its way when the client died may have arrived.
  row("smtp", "smtp.content_sent", "relayed", true, { "it alone": [1, 2], everything: [1, 2] }),
  row("smtp", "smtp.accepted", "relayed", true, TWICE),
  row("virtual", "virtual.written", "local", true, ONCE),
  row("virtual", "virtual.synced", "local", true, ONCE),
  row("virtual", "virtual.renamed", "local", true, TWICE),
];

function row(
  role: string,
  point: StopPoint | `${StopPoint}:${number}`,
  kind: Kind,
  accepted: boolean,
  copies: Row["copies"],
): Row {
  return { role, point: point as StopPoint, kind, accepted, copies };
}

const RECIPIENTS: Record<Kind, string> = {
  relayed: "u1@sink.test",
  middling: "u1@sink.test",
  large: "u1@sink.test",
  submitted: "u1@sink.test",
  local: "u1@box.test",
  bounced: REFUSED,
  deferred: DEFERRED,
  traced: DEFERRED,
  verified: "u1@sink.test",
};
/** What sendmail is asked for besides. */
const OPTIONS: Partial<Record<Kind, string>> = { submitted: "-i", traced: "-v", verified: "-bv" };
/** Body bytes; more than qmgr keeps in its database. */
const LENGTHS: Partial<Record<Kind, number>> = { middling: 100 * 1024, large: 400 * 1024 };

const VICTIMS: readonly Victim[] = KILLS_ALL ? ["it alone", "everything"] : ["it alone"];
/** Every role on the way starts within this, on a machine that does other work as well. */
const REACHED_MS = 60_000;
/** Systems at once: each mostly waits for a retry. */
const AT_ONCE = 4;
/** Rows that one system goes through, where a role alone is killed. */
const ROWS_EACH = 8;

/** What one system goes through: rows of one role. */
interface Run {
  readonly victim: Victim;
  readonly rows: readonly Row[];
}

function runs(): Run[] {
  const tried = rows.filter((_, n) => n % STRIDE === 0);
  return VICTIMS.flatMap((victim) =>
    [...Map.groupBy(tried, ({ role }) => role).values()].flatMap((rows) => {
      // Whoever starts again after all were killed asks for no stop.
      const each = victim === "everything" ? 1 : ROWS_EACH;
      const chunks = Array.from({ length: Math.ceil(rows.length / each) }, (_, n) => n * each);
      return chunks.map((from) => ({ victim, rows: rows.slice(from, from + each) }));
    })
  );
}

Deno.test("a message survives a kill between any two steps", async (t) => {
  // The longest first.
  const waiting = runs().toSorted((a, b) => b.rows.length - a.rows.length);
  const work = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) await run(t, next);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
});

Deno.test("each stop point has a row", () => {
  const tested = new Set(rows.map(({ point }) => point.split(":")[0]));
  assertEquals(Object.keys(STOP_POINTS).filter((point) => !tested.has(point)), []);
});

/** Starts a system of which each other process of the role stops, one for each row. */
async function run(t: Deno.TestContext, { victim, rows }: Run): Promise<void> {
  const role = rows[0]!.role;
  const stopAt = rows.map(({ point }) => `${role}:${point}`).join(`,${role}:-,`);
  // Nobody lists the queue, and few submit: so many starts take what time there is.
  const without = rows.some(({ kind }) => OPTIONS[kind]) ? ["showq"] : ["showq", "pickup"];
  await using scene = await Scene.start({ stopAt, without });
  for (const [n, row] of rows.entries()) {
    const copies = [row.copies[victim]!].flat();
    await t.step({
      name: `${row.kind} mail, ${role} stopped at ${row.point}, ${victim} killed: ${says(copies)}`,
      async fn() {
        if (n > 0) await takeNext(scene, role, n);
        await crash(scene, row, victim, copies);
      },
      sanitizeOps: false,
      sanitizeResources: false,
      sanitizeExit: false,
    });
  }
}

/** Has the process that goes on make room for the one that stops in row `n`. */
async function takeNext({ system }: Scene, role: string, n: number): Promise<void> {
  const said = (what: string) => system.output.split(`POSTERN_STOP_AT: ${role} ${what}`).length - 1;
  await system.until(() => said("goes on") === n);
  await system.until(() => allAnswered(system.output.slice(system.output.lastIndexOf("goes on"))));
  assert(system.kill(role) > 0);
  await system.until(() => said("will stop") === n + 1);
}

/** Whether agents heard that qmgr has their outcomes: they would tell the next qmgr, which would stop for these. */
function allAnswered(log: string): boolean {
  const ids = log.matchAll(/qmgr\[\d+\]: (\w+): from=.*queue active/g).map(([, id]) => id);
  return ids.every((id) => log.includes(`: ${id}: removed`));
}

async function crash(scene: Scene, row: Row, victim: Victim, copies: readonly number[]) {
  const { role, point, kind } = row, { system } = scene;
  const id = crypto.randomUUID(), from = system.output.length;
  const counted = arrived(scene, kind, id), relayed = scene.sink.count;
  const sending = send(scene, kind, id);
  const reached = `stopped at ${point.split(":")[0]}\n`;
  await system.until(() => system.output.slice(from).includes(reached), REACHED_MS);
  if (victim === "everything") {
    await system.killEverything();
    await system.start();
  } else assert(system.kill(role) > 0);
  const accepted = await sending;
  assert(row.accepted || !accepted, "250 for a message that was not answered for");
  if (accepted) assert(copies.every((count) => count > 0));
  await scene.untilQuiet();
  // A start removes files that no message names.
  await system.until(() => scene.contentFiles().length === 0);
  if (kind === "traced") assertEquals(scene.delivered.get(id)?.length, 1);
  if (kind === "verified") assertEquals(scene.sink.count, relayed);
  assertEquals(scene.damaged, []);
  const count = arrived(scene, kind, id) - counted;
  assert(copies.includes(count), `${count} copies\n${system.output.slice(-4000)}`);
}

/** How often the message arrived, or what is to be counted of it. */
function arrived({ delivered, reported, system }: Scene, kind: Kind, id: string): number {
  // The probe is not the author's text, and has no id.
  if (kind === "verified") return system.maildir("u2").length;
  const told = kind === "bounced" || kind === "traced";
  return (told ? reported : delivered).get(id)?.length ?? 0;
}

let sent = 0;

/** Hands one message in; whether it was accepted. */
async function send({ system }: Scene, kind: Kind, id: string): Promise<boolean> {
  // One of its own for each message that is told to come again: the second is not.
  const to = RECIPIENTS[kind].replace(DEFERRED, `deferred-${sent++}@sink.test`);
  const text = `Subject: test\n${marked(id, LENGTHS[kind] ?? 100).replaceAll("\r\n", "\n")}\n`;
  const option = OPTIONS[kind];
  try {
    if (option) await system.command(["sendmail", option, "-f", AUTHOR, to], text);
    else await system.send(to, text, AUTHOR);
    return true;
  } catch {
    return false;
  }
}

function says(copies: readonly number[]): string {
  return `it arrives ${copies.map((count) => TIMES[count]).join(" or ")}`;
}
