/** Ports by their numbers, or by the names that mail systems have for them: no role reads /etc/services. */

const PORTS: ReadonlyMap<string, number> = new Map([
  ["smtp", 25],
  ["mail", 25],
  ["submission", 587],
  ["submissions", 465],
  ["smtps", 465],
  ["lmtp", 24],
]);

/** The names that `portOf()` knows. */
export const portNames: readonly string[] = [...PORTS.keys()];

/** The port that a text means; undefined when it means none. */
export function portOf(text: string): number | undefined {
  const port = PORTS.get(text.toLowerCase()) ?? (/^[0-9]{1,5}$/.test(text) ? Number(text) : 0);
  return port >= 1 && port <= 65535 ? port : undefined;
}
