/** Who may go on when many want to: so many at once in all and of each party, the others wait, and parties take turns. */

/** How many may run and wait at once, in all and of one party. */
export interface TurnLimits {
  readonly running: number;
  readonly runningEach: number;
  readonly waiting: number;
  readonly waitingEach: number;
  readonly waitMs: number;
}

interface Party {
  readonly name: string;
  running: number;
  /** Told that their turn has come, the first first. */
  readonly waiting: Set<() => void>;
}

export class Turns {
  #running = 0;
  #waiting = 0;
  /** Those with something that runs or waits. */
  #parties = new Map<string, Party>();
  /** Those with something that waits, the next first. */
  #line = new Set<Party>();

  constructor(readonly limits: TurnLimits) {}

  /** True when, or as soon as, it is the party's turn, which `leave` ends; false when too many wait, or it has waited too long. */
  enter(name: string): boolean | Promise<boolean> {
    const party = this.#parties.get(name) ?? { name, running: 0, waiting: new Set() };
    const { waiting, waitingEach, waitMs } = this.limits;
    if (this.#mayRun(party)) return this.#run(party);
    if (this.#waiting >= waiting || party.waiting.size >= waitingEach) return false;
    return new Promise((resolve) => {
      const begin = () => {
        clearTimeout(timer);
        resolve(true);
      };
      const timer = setTimeout(() => {
        this.#remove(party, begin);
        resolve(false);
      }, waitMs);
      this.#waiting++;
      party.waiting.add(begin);
      this.#line.add(party);
      this.#parties.set(name, party);
    });
  }

  /** One turn of the party has ended: others have theirs. */
  leave(name: string): void {
    const party = this.#parties.get(name)!;
    party.running--;
    this.#running--;
    this.#forget(party);
    // Few are passed over: not many can have all that is allowed to one.
    for (const next of this.#line) {
      if (!this.#mayRun(next)) continue;
      const [begin] = next.waiting;
      this.#run(next);
      this.#remove(next, begin!);
      // Those that are left go to the end of the line.
      if (this.#line.delete(next)) this.#line.add(next);
      begin!();
      return;
    }
  }

  #mayRun(party: Party): boolean {
    return this.#running < this.limits.running && party.running < this.limits.runningEach;
  }

  #run(party: Party): true {
    this.#running++;
    party.running++;
    this.#parties.set(party.name, party);
    return true;
  }

  #remove(party: Party, begin: () => void): void {
    this.#waiting--;
    party.waiting.delete(begin);
    if (!party.waiting.size) this.#line.delete(party);
    this.#forget(party);
  }

  #forget(party: Party): void {
    if (!party.running && !party.waiting.size) this.#parties.delete(party.name);
  }
}
