/** A binary heap whose members know their place in it: the least first, any member moved or removed in O(log n). */

/** -1 when not in the heap; only the heap writes it. */
export interface Heaped {
  place: number;
}

export class Heap<T extends Heaped> {
  #items: T[] = [];

  constructor(readonly before: (a: T, b: T) => boolean) {}

  get size(): number {
    return this.#items.length;
  }

  /** The least, which stays. */
  get least(): T | undefined {
    return this.#items[0];
  }

  /** Puts an item in, or back in order when its rank has changed. */
  put(item: T): void {
    if (item.place < 0) {
      item.place = this.#items.length;
      this.#items.push(item);
    }
    this.#down(this.#up(item.place));
  }

  /** Takes an item out, if it is in. */
  remove(item: T): void {
    const { place } = item;
    if (place < 0) return;
    const last = this.#items.pop()!;
    item.place = -1;
    if (last === item) return;
    this.#items[place] = last;
    last.place = place;
    this.#down(this.#up(place));
  }

  #up(place: number): number {
    while (place > 0) {
      const parent = (place - 1) >> 1;
      if (!this.before(this.#items[place]!, this.#items[parent]!)) break;
      this.#swap(place, parent);
      place = parent;
    }
    return place;
  }

  #down(place: number): void {
    for (;;) {
      let least = place;
      for (const child of [2 * place + 1, 2 * place + 2]) {
        if (child >= this.#items.length) break;
        if (this.before(this.#items[child]!, this.#items[least]!)) least = child;
      }
      if (least === place) return;
      this.#swap(place, least);
      place = least;
    }
  }

  #swap(a: number, b: number): void {
    const items = this.#items;
    [items[a], items[b]] = [items[b]!, items[a]!];
    items[a]!.place = a;
    items[b]!.place = b;
  }
}
