/** Who waits: files by their owners, taken in turn, so that one user's thousands do not delay another's one. */

/** So many files wait in memory; the others wait in the directory. */
const MAX_WAITING = 20_000;
/** So many of one user. */
const MAX_WAITING_OF_USER = 1000;

export class Line<T> {
  /** In the order in which their turn comes. */
  #users = new Map<number, T[]>();
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** False when there is no room now. */
  add(uid: number, item: T): boolean {
    const waiting = this.#users.get(uid);
    if (!waiting) this.#users.set(uid, [item]);
    else if (this.#length >= MAX_WAITING || waiting.length >= MAX_WAITING_OF_USER) return false;
    else waiting.push(item);
    this.#length++;
    return true;
  }

  /** The first file of the user whose turn it is, of those users who may have one now. */
  take(may: (uid: number) => boolean): { uid: number; item: T } | undefined {
    for (const [uid, waiting] of this.#users) {
      if (!may(uid)) continue;
      const item = waiting.shift()!;
      this.#users.delete(uid);
      if (waiting.length) this.#users.set(uid, waiting);
      this.#length--;
      return { uid, item };
    }
    return undefined;
  }
}
