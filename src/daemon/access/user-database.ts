import { execFile } from 'node:child_process';

/** A directory service that does not answer is not waited for, ms. */
const LOOKUP_MS = 2_000;
const MAX_OUTPUT_BYTES = 1024 * 1024;

/** A user or group as the host knows it. */
export interface DatabaseEntry {
  readonly name: string;
  readonly id: number;
}

/** One entry of the host's users or groups by name or number, from wherever the host has them; undefined: none. */
export type Lookup = (database: 'passwd' | 'group', key: string) => Promise<DatabaseEntry | undefined>;

/** As `getent` finds it: files, LDAP, sssd. Undefined also where that is missing or too slow. */
export const lookUp: Lookup = (database, key) =>
  new Promise((resolve) => {
    const options = { timeout: LOOKUP_MS, killSignal: 'SIGKILL', maxBuffer: MAX_OUTPUT_BYTES } as const;
    execFile('getent', [database, key], options, (error, stdout) => {
      const [name = '', , id = ''] = (stdout.split('\n')[0] ?? '').split(':');
      const isEntry = error === null && name !== '' && /^\d{1,10}$/.test(id);
      resolve(isEntry ? { name, id: Number(id) } : undefined);
    });
  });
