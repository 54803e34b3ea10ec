/**
 * The part of `@std/log` that is used here, with the same names: loggers with levels that hand each line to handlers.
 * npm does not have the real one.
 */

/** Levels, in rising order. */
export const LogLevels = {
  NOTSET: 0,
  DEBUG: 10,
  INFO: 20,
  WARN: 30,
  ERROR: 40,
  CRITICAL: 50,
} as const;

export type LevelName = keyof typeof LogLevels;

/** One line on its way to the handlers. */
export interface LogRecord {
  readonly msg: string;
  readonly level: number;
  readonly levelName: LevelName;
  readonly datetime: Date;
  readonly loggerName: string;
}

/** Takes what reaches its level, formats it, and writes it somewhere. */
export abstract class BaseHandler {
  readonly level: number;

  constructor(levelName: LevelName) {
    this.level = LogLevels[levelName];
  }

  handle(record: LogRecord): void {
    if (record.level >= this.level) this.log(this.format(record));
  }

  format(record: LogRecord): string {
    return `${record.levelName} ${record.msg}`;
  }

  abstract log(line: string): void;
}

/** A named source of lines. */
export class Logger {
  constructor(
    readonly loggerName: string,
    readonly levelName: LevelName,
    readonly handlers: BaseHandler[],
  ) {}

  debug(msg: string): void {
    this.#emit("DEBUG", msg);
  }
  info(msg: string): void {
    this.#emit("INFO", msg);
  }
  warn(msg: string): void {
    this.#emit("WARN", msg);
  }
  error(msg: string): void {
    this.#emit("ERROR", msg);
  }
  critical(msg: string): void {
    this.#emit("CRITICAL", msg);
  }

  #emit(levelName: LevelName, msg: string): void {
    const level = LogLevels[levelName];
    if (level < LogLevels[this.levelName]) return;
    const record = { msg, level, levelName, datetime: new Date(), loggerName: this.loggerName };
    for (const handler of this.handlers) handler.handle(record);
  }
}
