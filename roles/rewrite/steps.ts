/**
 * Work that waits only where it must: a table in memory answers at once, so resolving an address makes no promise; a
 * table on a network answers later, and the same code waits for it.
 */

export type MaybePromise<T> = T | Promise<T>;

/** Work in progress; it yields what it must wait for. */
// deno-lint-ignore no-explicit-any
export type Steps<T> = Generator<Promise<unknown>, T, any>;

/** A value that may still be on its way: `const value = yield* need(table.lookup(key))`. */
export function* need<T>(value: MaybePromise<T>): Steps<T> {
  return value instanceof Promise ? yield value : value;
}

/** Does the work; the result is a promise only if something had to be waited for. */
export function run<T>(steps: Steps<T>): MaybePromise<T> {
  const step = steps.next();
  return step.done ? step.value : wait(steps, step.value);
}

async function wait<T>(steps: Steps<T>, first: Promise<unknown>): Promise<T> {
  let step: IteratorResult<Promise<unknown>, T> = { done: false, value: first };
  while (!step.done) {
    let value: unknown;
    try {
      value = await step.value;
    } catch (error) {
      step = steps.throw(error);
      continue;
    }
    step = steps.next(value);
  }
  return step.value;
}
