/** What a scale test measures: one line each, with the limit it is held to. */

export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** At most this when `most`, at least this when `least`; neither: for information. */
  readonly most?: number;
  readonly least?: number;
}

export type Report = (figure: Figure) => void;

const NAME_COLUMNS = 58;

export function isKept({ value, most, least }: Figure): boolean {
  if (Number.isNaN(value)) return false;
  return (most === undefined || value <= most) && (least === undefined || value >= least);
}

/** True for what depends on how fast the machine is. */
export function isTiming({ unit }: Figure): boolean {
  return ["s", "ms", "messages/s", "times empty"].includes(unit);
}

/** `idle system: start      1.6 s   at most 2 s   ok`. */
export function lineOf(figure: Figure): string {
  const { name, value, unit, most, least } = figure;
  const shown = `${value.toFixed(Number.isInteger(value) ? 0 : value < 10 ? 2 : 1)} ${unit}`;
  const limit = most !== undefined
    ? `at most ${most} ${unit}`
    : least !== undefined
    ? `at least ${least} ${unit}`
    : "";
  const verdict = limit ? (isKept(figure) ? "ok" : "FAILED") : "";
  return `${name.padEnd(NAME_COLUMNS)} ${shown.padStart(14)}  ${limit.padEnd(22)} ${verdict}`
    .trimEnd();
}

/** KiB as MB, as the limits are given. */
export function megabytes(kib: number): number {
  return kib / 1024;
}
