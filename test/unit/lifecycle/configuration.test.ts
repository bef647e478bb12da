import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { loadConfig } from '../../../src/config/index.js';
import type { ChangeRequest } from '../../../src/lifecycle/index.js';
import { DOCUMENTS, place, VM } from './configured.js';

const enable = { vm: VM, path: 'recovery.enabled', value: true };

describe('changes at run time', () => {
  it('hold, over a restart, without touching a file of a person', async () => {
    const here = await place();
    const files = [here.configPath, join(here.dir, 'vms.yaml')].map((path) => readFileSync(path, 'utf8'));
    const view = await here.change([enable, { vm: null, path: 'logLevel', value: 'debug' }], {
      reason: 'try it',
    });
    expect(view).toMatchObject({
      set: [{ vm: VM, path: 'recovery.enabled' }, { path: 'logLevel' }],
      vms: [{ id: VM, restartRequired: false, what: ['recovery'] }],
      restartRequired: [],
    });
    expect(here.vm()?.recovery.enabled).toBe(true);
    const anew = await loadConfig(here.configPath);
    expect(anew.config.logLevel).toBe('debug');
    expect(anew.vms[0]?.recovery.enabled).toBe(true);
    expect([here.configPath, join(here.dir, 'vms.yaml')].map((path) => readFileSync(path, 'utf8'))).toEqual(
      files,
    );
    expect(here.records).toEqual([
      `${VM}: recovery.enabled of ${VM} set to true by ann@0: try it`,
      'null: logLevel set to "debug" by ann@0: try it',
    ]);
  });

  it('are shown with their origin, and without secrets', async () => {
    const here = await place();
    await here.change([enable, { vm: null, path: 'probes.timeout', value: '3s' }]);
    const shown = (vm: string | null) =>
      Object.fromEntries(
        here.configuration.view(vm).settings.map(({ path, value, origin }) => [path, [value, origin]]),
      );
    expect(shown(null)).toMatchObject({
      'probes.timeout': ['3s', 'override by ann@0'],
      'probes.period': ['10s', 'default'],
      logLevel: ['warn', `${here.configPath}:3:11`],
      manifests: [[join(here.dir, 'vms.yaml')], `${here.configPath}:2:12`],
      socket: ['/run/vmpulse/vmpulse.sock', 'default'],
      'limits.brakeFrom': [3, 'default'],
      'engine.tickMs': [2, 'default'],
    });
    expect(shown(VM)).toMatchObject({
      'recovery.enabled': [true, 'override by ann@0'],
      'recovery.grace': ['2m', 'default'],
      'probes.web.timeoutMs': [3000, 'override by ann@0'],
      'probes.web.periodMs': [10_000, 'default'],
    });
    expect(JSON.stringify(shown(VM))).toContain('(redacted)');
    expect(JSON.stringify(shown(VM))).not.toContain('c2VjcmV0');
    expect(here.configuration.view(null).overrides).toHaveLength(2);
    expect(here.configuration.view(VM).overrides).toHaveLength(1);
  });

  it('tell secrets neither in the view, nor in what a change did, nor in the journal', async () => {
    const here = await place();
    const httpHeaders = [{ name: 'Authorization', value: 'Basic bmV3c2VjcmV0' }];
    const secret = { vm: VM, path: 'probes.web.httpGet', value: { port: 81, httpHeaders } };
    const made = await here.change([secret]);
    expect(made.set).toHaveLength(1);
    const view = here.configuration.view(null);
    expect(view.overrides).toHaveLength(1);
    expect(here.records).toHaveLength(1);
    const taken = await here.change([{ vm: VM, path: 'probes.web.httpGet' }]);
    expect(taken.withdrawn).toHaveLength(1);
    expect(JSON.stringify([made, view, taken, here.records])).not.toContain('bmV3c2VjcmV0');
    expect(JSON.stringify([made, view, here.records[0]]).match(/\(redacted\)/g)).toHaveLength(3);
  });

  it('are withdrawn by their path, by one above it, or all', async () => {
    const here = await place();
    const grace = { vm: VM, path: 'recovery.grace', value: '5s' };
    await here.change([enable, grace]);
    expect((await here.change([{ vm: VM, path: 'recovery.grace' }])).withdrawn).toMatchObject([
      { path: 'recovery.grace' },
    ]);
    expect(here.vm()?.recovery).toMatchObject({ enabled: true, graceMs: 120_000 });
    await here.change([grace]);
    expect((await here.change([{ vm: VM, path: 'recovery' }])).withdrawn).toHaveLength(2);
    await here.change([enable]);
    await here.change([{ vm: VM, path: '' }]);
    expect(here.vm()?.recovery.enabled).toBe(false);
    expect(existsSync(join(here.stateDir, 'overrides.json'))).toBe(false);
    expect(here.records.at(-1)).toBe(`${VM}: what was set as recovery.enabled of ${VM} withdrawn by ann@0`);
  });

  it('take the place of those before at and below their path', async () => {
    const here = await place();
    await here.change([{ vm: VM, path: 'probes.web.timeoutMs', value: 300 }]);
    await here.change([{ vm: VM, path: 'probes.web', value: { tcpSocket: { port: 81 } } }]);
    expect(here.loaded().overrides.inForce).toHaveLength(1);
    expect(here.vm()?.probes[0]).toMatchObject({ check: { kind: 'tcpSocket' }, timing: { timeoutMs: 1000 } });
  });

  it.each<[string, ChangeRequest['changes'], string, RegExp]>([
    [
      'one that does not fit',
      [{ vm: null, path: 'logLevel', value: 'loud' }],
      'ERR_VMPULSE_CONFIG',
      /override logLevel by ann@0 logLevel/,
    ],
    [
      'one of several',
      [enable, { vm: VM, path: 'probes.web.timeoutMs', value: 'long' }],
      'ERR_VMPULSE_CONFIG',
      /timeoutMs/,
    ],
    [
      'a default that a VM cannot have',
      [{ vm: null, path: 'recovery.exec', value: ['true'] }],
      'ERR_VMPULSE_CONFIG',
      /recovery\.exec: is not a field/,
    ],
    [
      'what says where files are',
      [{ vm: null, path: 'stateDir', value: '/x' }],
      'ERR_VMPULSE_ARGUMENT',
      /restart/,
    ],
    [
      'what the VMM is started with',
      [{ vm: VM, path: 'hypervisor.qemu.memory', value: '1Gi' }],
      'ERR_VMPULSE_ARGUMENT',
      /of a VM these can/,
    ],
  ])('change nothing for %s', async (_, changes, code, message) => {
    const here = await place();
    await expect(here.change(changes)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
    expect(readdirSync(here.stateDir)).toEqual([]);
    expect(here.vm()?.recovery.enabled).toBe(false);
    expect(here.records).toEqual([]);
  });

  it('do nothing in a dry run', async () => {
    const here = await place();
    expect(await here.change([enable], { dryRun: true })).toMatchObject({ dryRun: true, vms: [{ id: VM }] });
    expect(readdirSync(here.stateDir)).toEqual([]);
  });

  it('say what holds only after a restart of the daemon', async () => {
    const here = await place();
    const view = await here.change([{ vm: null, path: 'engine.maxInFlight', value: 10 }]);
    expect(view.restartRequired).toEqual(['engine.maxInFlight']);
  });

  it('are as before when they cannot take effect', async () => {
    const here = await place();
    await here.change([enable]);
    here.fail(new Error('the disk is full'));
    await expect(here.change([{ vm: VM, path: '' }])).rejects.toThrow('the disk is full');
    expect((await loadConfig(here.configPath)).vms[0]?.recovery.enabled).toBe(true);
    expect(here.records.at(-1)).toBe(
      'null: what was just set or withdrawn did not take effect: the disk is full',
    );
  });
});

describe('the end of what was set for a time', () => {
  it('takes effect by itself, and is recorded', async () => {
    const here = await place();
    await here.change([enable], { forMs: 7_200_000 });
    await here.change([{ vm: VM, path: 'recovery.grace', value: '5s' }]);
    here.clock.advanceTo(here.clock.now() + 7_199_000);
    expect(here.vm()?.recovery.enabled).toBe(true);
    here.clock.advanceTo(here.clock.now() + 1_000);
    await vi.waitFor(() =>
      expect(here.records.at(-1)).toBe(`${VM}: recovery.enabled of ${VM}, set by ann@0, has ended`),
    );
    expect(here.vm()?.recovery).toMatchObject({ enabled: false, graceMs: 5000 });
    await vi.waitFor(() =>
      expect(readFileSync(join(here.stateDir, 'overrides.json'), 'utf8')).not.toContain('recovery.enabled'),
    );
  });

  it('is seen by the next daemon where none ran', async () => {
    const here = await place();
    await here.change([enable], { forMs: 1000 });
    await here.configuration.close();
    here.clock.advanceTo(here.clock.now() + 2000);
    expect((await loadConfig(here.configPath)).vms[0]?.recovery.enabled).toBe(false);
    await here.reload();
    const next = here.open();
    await next.start();
    expect(here.records.at(-1)).toContain('has ended');
    expect(existsSync(join(here.stateDir, 'overrides.json'))).toBe(false);
  });

  it('is tried again while it cannot take effect, and shown', async () => {
    const here = await place();
    await here.change([enable], { forMs: 1000 });
    here.fail(new Error('a file is wrong'));
    here.clock.advanceTo(here.clock.now() + 1000);
    await vi.waitFor(() => expect(here.degradations.get('override-end')).toContain('a file is wrong'));
    await vi.waitFor(() => expect(here.clock.waiting).toHaveLength(1));
    here.fail(undefined);
    here.clock.advanceTo(here.clock.now() + 60_000);
    await vi.waitFor(() => expect(here.degradations.size).toBe(0));
    expect(here.vm()?.recovery.enabled).toBe(false);
  });
});

describe('an end that takes effect and cannot be recorded', () => {
  it('is recorded later, once, and leaves nothing behind', async () => {
    const here = await place();
    await here.change([enable], { forMs: 1000 });
    here.failJournal(new Error('disk full'));
    here.clock.advanceTo(here.clock.now() + 1000);
    await vi.waitFor(() => expect(here.degradations.get('override-end')).toContain('disk full'));
    expect(here.vm()?.recovery.enabled).toBe(false);
    await vi.waitFor(() => expect(here.clock.waiting).toHaveLength(1));
    here.failJournal(undefined);
    here.clock.advanceTo(here.clock.now() + 60_000);
    await vi.waitFor(() => expect(here.degradations.size).toBe(0));
    expect(here.records.filter((text) => text.includes('has ended'))).toHaveLength(1);
    await vi.waitFor(() => expect(existsSync(join(here.stateDir, 'overrides.json'))).toBe(false));
    expect(here.clock.waiting).toEqual([]);
  });
});

describe('files that change under what was set', () => {
  it('leave the rest in force', async () => {
    const here = await place();
    await here.change([enable, { vm: VM, path: 'probes.web.timeoutMs', value: 4000 }]);
    writeFileSync(
      join(here.dir, 'vms.yaml'),
      DOCUMENTS.replace('{name: web, ', '{name: web, periodSeconds: 2, timeoutSeconds: 1, '),
    );
    await here.reload();
    expect(here.vm()).toMatchObject({
      recovery: { enabled: true },
      probes: [{ timing: { timeoutMs: 1000 } }, {}, {}],
    });
    expect(here.loaded().warnings.join()).toMatch(
      /override of probes\.web\.timeoutMs of default\/web-1 is set aside/,
    );
    expect(here.configuration.view(VM).setAside).toMatchObject([
      { why: expect.stringContaining('must be shorter than the period') },
    ]);
    // Neither does it keep others from being set, and is withdrawn like them.
    await here.change([{ vm: VM, path: 'recovery.grace', value: '5s' }]);
    await here.change([{ vm: VM, path: 'probes.web.timeoutMs' }]);
    expect(here.loaded().overrides.setAside).toEqual([]);
  });

  it('is told once where several settings fail for one reason', async () => {
    const here = await place(DOCUMENTS.replace('  address: 192.0.2.1\n', '').replace(/ {2}probes:.*\n/, ''));
    const [level, interval] = [
      { vm: VM, path: 'monitoring.level', value: 'basic' },
      { vm: VM, path: 'monitoring.periodSeconds', value: 300 },
    ];
    const refused = await here.change([level, interval]).then(
      () => '',
      (error: Error) => error.message,
    );
    const lines = refused.split('\n');
    expect(lines).toContainEqual(expect.stringContaining('cannot reach the VM, which has no address'));
    expect(new Set(lines).size).toBe(lines.length);
  });

  it('may take the VM away, and it waits', async () => {
    const here = await place();
    await here.change([enable]);
    writeFileSync(join(here.dir, 'vms.yaml'), '');
    await here.reload();
    expect(here.loaded().overrides.idle).toHaveLength(1);
    await here.configuration.forget(VM);
    expect(existsSync(join(here.stateDir, 'overrides.json'))).toBe(false);
  });

  it('are over with their VM, so that no end of theirs meets another one of its name', async () => {
    const here = await place();
    await here.change([enable], { forMs: 3_600_000 });
    writeFileSync(join(here.dir, 'vms.yaml'), '');
    await here.reload();
    await here.configuration.forget(VM);
    expect(here.loaded().overrides.idle).toEqual([]);
    expect(here.clock.waiting).toEqual([]);
  });

  it.each([
    ['no JSON', '{', /overrides\.json:1:1: is not JSON; put a copy of it back, or remove it/],
    ['another version', '{"version":2,"overrides":[]}', /does not fit at version/],
    [
      'a path into the prototype',
      '{"version":1,"overrides":[{"vm":null,"path":"a.__proto__.b","value":1,"author":"","reason":"","atMs":1,"untilMs":null}]}',
      /does not fit at overrides\.0\.path/,
    ],
  ])('a file of them with %s is refused', async (_, text, message) => {
    const here = await place();
    writeFileSync(join(here.stateDir, 'overrides.json'), text);
    await expect(loadConfig(here.configPath)).rejects.toMatchObject({
      code: 'ERR_VMPULSE_CONFIG',
      message: expect.stringMatching(message),
    });
  });
});
