/** Severity, least first. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'fatal';
/** `text` is logfmt as dockerd writes it, `json` is one object per line. */
export type LogFormat = 'text' | 'json';
/** Facts beside the message. Never put credentials or environment values here. */
export type LogFields = Readonly<Record<string, unknown>>;

const order: readonly LogLevel[] = ['debug', 'info', 'warn', 'error', 'fatal'];

/** Where lines go and how: shared by a logger and its children, so that a reload changes all of them. */
export interface LogSettings {
  level: LogLevel;
  format: LogFormat;
  write: (line: string) => void;
}

/** Leveled, structured log. Pass it down; there is no global one. */
export class Logger {
  readonly #settings: LogSettings;
  readonly #fields: LogFields;

  constructor(settings: LogSettings, fields: LogFields = {}) {
    this.#settings = settings;
    this.#fields = fields;
  }

  /** A logger to the same place that adds `fields` to each line. */
  with(fields: LogFields): Logger {
    return new Logger(this.#settings, { ...this.#fields, ...fields });
  }

  /** Tells whether lines of `level` are written, for callers whose message is costly to make. */
  enabled(level: LogLevel): boolean {
    return order.indexOf(level) >= order.indexOf(this.#settings.level);
  }

  debug(message: string, fields?: LogFields): void {
    this.#log('debug', message, fields);
  }

  info(message: string, fields?: LogFields): void {
    this.#log('info', message, fields);
  }

  warn(message: string, fields?: LogFields): void {
    this.#log('warn', message, fields);
  }

  error(message: string, fields?: LogFields): void {
    this.#log('error', message, fields);
  }

  #log(level: LogLevel, message: string, fields?: LogFields): void {
    if (!this.enabled(level)) return;
    const record = { time: new Date().toISOString(), level, msg: message, ...this.#fields, ...fields };
    this.#settings.write(this.#settings.format === 'json' ? jsonLine(record) : textLine(record));
  }
}

/** A logger that writes nothing, for tests. */
export function silentLogger(): Logger {
  return new Logger({ level: 'fatal', format: 'text', write: () => {} });
}

function jsonLine(record: LogFields): string {
  return `${JSON.stringify(record, (_key, value: unknown) => (value instanceof Error ? describe(value) : value))}\n`;
}

function textLine(record: LogFields): string {
  const parts = Object.entries(record).map(([key, value]) => `${key}=${quote(render(value))}`);
  return `${parts.join(' ')}\n`;
}

function render(value: unknown): string {
  if (value instanceof Error) return describe(value);
  if (typeof value === 'string') return value;
  return JSON.stringify(value) ?? 'undefined';
}

function describe(error: Error): string {
  const stack = error.stack ?? `${error.name}: ${error.message}`;
  return error.cause === undefined ? stack : `${stack}\ncaused by ${render(error.cause)}`;
}

function quote(text: string): string {
  return /^[\w./:@+-]+$/.test(text) ? text : JSON.stringify(text);
}
