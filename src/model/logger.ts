type Log = (data: Readonly<Record<string, unknown>>, text: string) => void;

/** Where the library tells what it does; pino fits. Nothing is written to the console by the library itself. */
export interface Logger {
  readonly debug: Log;
  readonly info: Log;
  readonly warn: Log;
  readonly error: Log;
}

const nothing: Log = () => {};

/** The default: says nothing. */
export const silentLogger: Logger = { debug: nothing, info: nothing, warn: nothing, error: nothing };
