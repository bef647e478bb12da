import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { asAccount } from '../../../src/hypervisors/vmm/vmm-account.js';
import { resolveAccount } from '../../../src/kernel/users.js';

const passwd = readFileSync('/etc/passwd', 'utf8').split('\n');
const [name = '', , uid = '', gid = ''] = passwd.map((line) => line.split(':')).at(1) ?? [];

describe('the account of a VMM', () => {
  it('is that of the host, by name or number, with another group where one is named', async () => {
    const known = { uid: Number(uid), gid: Number(gid) };
    expect(await resolveAccount({ user: name })).toMatchObject(known);
    expect(await resolveAccount({ user: uid })).toMatchObject(known);
    expect(await resolveAccount({ user: name, group: '54321' })).toMatchObject({ ...known, gid: 54321 });
    expect(await resolveAccount({ user: name, group: 'root' })).toMatchObject({ ...known, gid: 0 });
  });

  it('is in no group where its user is not known', async () => {
    const account = { uid: 54321, gid: 54322, groups: [] };
    expect(await resolveAccount({ user: '54321', group: '54322' })).toEqual(account);
    expect(asAccount(account)).toContain('--clear-groups');
  });

  it.each([
    [{ user: 'no-such-user' }, /there is no user no-such-user on this host; useradd /],
    [{ user: '54321' }, /user 54321 is not known to this host; name its group, too/],
    [{ user: '54321', group: 'no-such-group' }, /there is no group no-such-group on this host; groupadd /],
  ])('is none for %o', async (runAs, message) => {
    await expect(resolveAccount(runAs)).rejects.toMatchObject({ code: 'ERR_VMPULSE_ARGUMENT', message });
  });
});
