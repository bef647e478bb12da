import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { findUser, lookUp, resolveAccount } from '../../../src/kernel/users.js';

/** A host with a directory service beside its files, as `getent` shows it. */
function directory(script: string): void {
  const dir = mkdtempSync(join(tmpdir(), 'vmpulse-users-'));
  writeFileSync(join(dir, 'getent'), `#!/bin/sh\n${script}\n`);
  chmodSync(join(dir, 'getent'), 0o755);
  const former = process.env.PATH;
  process.env.PATH = `${dir}:${former}`;
  onTestFinished(() => {
    process.env.PATH = former;
    rmSync(dir, { recursive: true, force: true });
  });
}

const LDAP = `case "$2 $3" in
"passwd ldap-ann") echo 'ldap-ann:x:70001:70000:Ann:/home/ann:/bin/sh';;
"group ldap-ops") echo 'ldap-ops:*:70002:';;
"initgroups ldap-ann") echo 'ldap-ann              70000 70002 70003';;
*) exit 2;;
esac`;

describe('users and groups', () => {
  it('of the files are found without asking anybody else, by name and number', async () => {
    directory('exit 2');
    expect(await findUser('root')).toEqual({ name: 'root', uid: 0, gid: 0 });
    expect(await findUser('0')).toEqual({ name: 'root', uid: 0, gid: 0 });
    expect(await lookUp('group', 'root')).toEqual({ name: 'root', id: 0 });
    expect(await resolveAccount({ user: 'root' })).toMatchObject({ uid: 0, gid: 0 });
  });

  it('of a directory service are found, with the groups that it gives', async () => {
    directory(LDAP);
    expect(await findUser('ldap-ann')).toEqual({ name: 'ldap-ann', uid: 70_001, gid: 70_000 });
    expect(await lookUp('group', 'ldap-ops')).toEqual({ name: 'ldap-ops', id: 70_002 });
    expect(await resolveAccount({ user: 'ldap-ann', group: 'ldap-ops' })).toEqual({
      uid: 70_001,
      gid: 70_002,
      groups: [70_000, 70_003],
    });
    expect(await lookUp('passwd', 'nobody-of-that-name')).toBeUndefined();
  });

  it('are not waited for without end', async () => {
    directory('exec sleep 600');
    expect(await lookUp('passwd', 'nobody-of-that-name')).toBeUndefined();
  });
});
