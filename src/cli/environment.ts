import { DEFAULT_RUN_DIR, SOCKET_NAME } from '../model/folders.js';
/** What the command line takes from its environment; nothing below src/cli reads it. */
export interface Environment {
  /** VMPULSE_SOCKET. */
  readonly socketPath: string | undefined;
  /** VMPULSE_URL. */
  readonly url?: string | undefined;
  /** VMPULSE_TOKEN. */
  readonly token?: string | undefined;
  /** NO_COLOR is set and not empty. */
  readonly noColor: boolean;
  /** NOTIFY_SOCKET, with WATCHDOG_USEC where it is meant for this process. */
  readonly notify: { readonly socket: string; readonly watchdogUsec?: number } | undefined;
}

export const DEFAULT_SOCKET = `${DEFAULT_RUN_DIR}/${SOCKET_NAME}`;
export const DEFAULT_CONFIG = '/etc/vmpulse/config.yaml';

/** Reads the variables; an empty one counts as unset. */
export function readEnvironment(variables: NodeJS.ProcessEnv, pid: number): Environment {
  const text = (name: string) => variables[name] || undefined;
  return {
    socketPath: text('VMPULSE_SOCKET'),
    url: text('VMPULSE_URL'),
    token: text('VMPULSE_TOKEN'),
    noColor: text('NO_COLOR') !== undefined,
    notify: readNotify(text('NOTIFY_SOCKET'), text('WATCHDOG_USEC'), text('WATCHDOG_PID'), pid),
  };
}

function readNotify(
  socket: string | undefined,
  usec: string | undefined,
  watchdogPid: string | undefined,
  pid: number,
): Environment['notify'] {
  if (socket === undefined) return undefined;
  const watchdogUsec = Number(usec ?? 0);
  const isOurs = watchdogPid === undefined || Number(watchdogPid) === pid;
  return isOurs && Number.isSafeInteger(watchdogUsec) && watchdogUsec > 0
    ? { socket, watchdogUsec }
    : { socket };
}
