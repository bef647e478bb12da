import { renameSync, rmSync } from 'node:fs';
import { VmpulseError } from '../../model/errors.js';

/** The part of a libsql connection that the schema needs. */
export interface SqlConnection {
  exec(sql: string): unknown;
  prepare(sql: string): {
    get(...params: unknown[]): unknown;
    run(...params: unknown[]): { changes: number };
  };
}

/** `VMPU`: marks the file as ours, so that no other program's database is ever migrated. */
const APPLICATION_ID = 0x564d5055;

/** Statement `n` brings a journal from version `n` to `n + 1`. Never edited once released; only appended to. */
export const MIGRATIONS: readonly string[] = [
  `CREATE TABLE entries (
     seq INTEGER PRIMARY KEY AUTOINCREMENT,
     at_ms INTEGER NOT NULL,
     vm TEXT,
     type TEXT NOT NULL,
     action_id TEXT,
     text TEXT NOT NULL,
     data TEXT NOT NULL
   ) STRICT;
   CREATE INDEX entries_by_vm ON entries (vm, seq) WHERE vm IS NOT NULL;
   CREATE INDEX entries_by_action ON entries (action_id, type) WHERE action_id IS NOT NULL;
   CREATE TABLE state (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
   CREATE TABLE writer (id INTEGER PRIMARY KEY CHECK (id = 1), batch TEXT NOT NULL) STRICT;`,
  `CREATE TABLE identity (one INTEGER PRIMARY KEY CHECK (one = 1), name TEXT NOT NULL) STRICT;
   INSERT INTO identity VALUES (1, lower(hex(randomblob(16))));`,
  `ALTER TABLE entries ADD COLUMN class TEXT;
   UPDATE entries SET class = CASE
     WHEN data ->> '$.reason' IN ('connect-timeout', 'response-timeout', 'tls-timeout') THEN 'timeout'
     WHEN data ->> '$.reason' IN ('connection-refused', 'connection-reset', 'connection-closed') THEN 'refused'
     WHEN data ->> '$.reason' IN ('host-unreachable', 'network-unreachable', 'no-reply', 'dns-failure') THEN 'unreachable'
     WHEN data ->> '$.reason' IN ('handshake-failed', 'certificate-expired', 'certificate-untrusted', 'name-mismatch') THEN 'tls'
     WHEN data ->> '$.reason' = 'authentication-failed' THEN 'auth'
     WHEN data ->> '$.reason' IN ('bad-status', 'bad-header', 'bad-body', 'protocol-error', 'response-too-large') THEN 'invalid-response'
     WHEN data ->> '$.reason' IN ('agent-not-connected', 'agent-error', 'exec-nonzero') THEN 'agent'
     WHEN data ->> '$.reason' IN ('api-unreachable', 'api-error', 'vm-not-running', 'guest-panicked', 'io-error') THEN 'hypervisor'
     WHEN data ->> '$.reason' IN ('process-gone', 'process-stopped', 'device-missing') THEN 'gone'
     WHEN data ->> '$.reason' IN ('vcpu-stalled', 'tap-frozen', 'console-silent') THEN 'stalled'
     WHEN data ->> '$.reason' IN ('cpu', 'memory', 'disk', 'io-wait', 'latency', 'packet-loss') THEN 'threshold'
     WHEN data ->> '$.reason' IS NOT NULL THEN 'inconclusive' END
   WHERE type = 'transition' AND json_valid(data) AND data ->> '$.to' IN ('failed', 'blind');
   DROP INDEX entries_by_vm;
   CREATE INDEX entries_by_type ON entries (type, at_ms);
   CREATE INDEX entries_by_vm_type ON entries (vm, type, at_ms) WHERE vm IS NOT NULL;
   CREATE INDEX entries_by_class ON entries (class, at_ms) WHERE class IS NOT NULL;
   CREATE INDEX entries_by_vm_class ON entries (vm, class, at_ms) WHERE class IS NOT NULL AND vm IS NOT NULL;`,
];

/**
 * Brings the journal at `path` to the newest version, after a backup `<path>.v<old>.bak` when it holds something.
 * Throws ERR_VMPULSE_JOURNAL_VERSION for a journal of a newer vmpulse, ERR_VMPULSE_JOURNAL for a file that is not ours.
 */
export function migrate(db: SqlConnection, path: string, migrations: readonly string[] = MIGRATIONS): void {
  const version = pragma(db, 'user_version');
  const foreign = pragma(db, 'application_id') !== APPLICATION_ID;
  if (foreign && (version !== 0 || numberOf(db, 'SELECT count(*) AS n FROM sqlite_master') > 0)) {
    throw new VmpulseError(
      'ERR_VMPULSE_JOURNAL',
      `${path} is a database, but not a vmpulse journal; name another state directory`,
    );
  }
  if (version > migrations.length) {
    throw new VmpulseError(
      'ERR_VMPULSE_JOURNAL_VERSION',
      `${path} has schema version ${version}, this vmpulse knows up to ${migrations.length}; ` +
        `run the newer vmpulse, or move the file (with its -wal and -shm) away to begin a new journal`,
    );
  }
  if (version === migrations.length) return;
  if (version > 0) backUp(db, `${path}.v${version}.bak`);
  db.exec('BEGIN IMMEDIATE');
  try {
    for (const statement of migrations.slice(version)) db.exec(statement);
    db.exec(`PRAGMA application_id = ${APPLICATION_ID}`);
    db.exec(`PRAGMA user_version = ${migrations.length}`);
    db.exec('COMMIT');
  } catch (error) {
    // SQLite has already rolled back after a full disk or an I/O error; that second ROLLBACK is not an error of ours.
    try {
      db.exec('ROLLBACK');
    } catch {}
    throw error;
  }
}

// Under another name first: VACUUM INTO refuses a file that is there, and a half-made backup must not pass for one.
function backUp(db: SqlConnection, target: string): void {
  const partial = `${target}.partial`;
  rmSync(partial, { force: true });
  db.exec(`VACUUM INTO '${partial.replaceAll("'", "''")}'`);
  renameSync(partial, target);
}

function pragma(db: SqlConnection, name: string): number {
  return numberOf(db, `SELECT ${name} AS n FROM pragma_${name}`);
}

/** The one number `n` that the statement gives. */
export function numberOf(db: SqlConnection, sql: string): number {
  const row = db.prepare(sql).get([]);
  if (typeof row === 'object' && row !== null && 'n' in row && typeof row.n === 'number') return row.n;
  throw new VmpulseError('ERR_VMPULSE_JOURNAL', `unexpected answer to "${sql}"`);
}
