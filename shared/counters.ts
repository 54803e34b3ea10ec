/** Counters, declared with their meaning at the top of the module that counts; status and metrics read them from here. */

interface Declared {
  readonly help: string;
  readonly counter: Counter;
}

const declared = new Map<string, Declared>();

/** A number that a role counts. */
export class Counter {
  value = 0;

  add(amount = 1): void {
    this.value += amount;
  }
}

/** Declares a counter: `counter("smtpd_messages", "messages accepted")`. */
export function counter(name: string, help: string): Counter {
  const known = declared.get(name);
  if (known) return known.counter;
  const made = { help, counter: new Counter() };
  declared.set(name, made);
  return made.counter;
}

/** Every counter of this process and its value. */
export function snapshot(): Record<string, number> {
  return Object.fromEntries([...declared].map(([name, { counter }]) => [name, counter.value]));
}
