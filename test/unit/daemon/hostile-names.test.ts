import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { daemonWithVm, fillIn } from './daemon-with-vm.js';

/** A real daemon takes its time to start on a machine that may be busy. */
const PATIENT = { timeout: 240_000 };

/** Names that would lead out of the folder of whoever makes a path of them. */
const NAMES = [
  '.',
  '..',
  '../evil',
  '../../evil',
  '../../../../../../../../tmp/vmpulse-evil',
  '/tmp/vmpulse-evil',
  'web-1/../../evil',
  'web-1/',
  './web-1',
  '..\\evil',
  '%2e%2e%2fevil',
  'evil\0.yaml',
  'evil\n',
  '.evil',
  '~evil',
  'a'.repeat(300),
];

/** Everything below a folder. */
function tree(folder: string, below = ''): readonly string[] {
  return readdirSync(join(folder, below), { withFileTypes: true }).flatMap((entry) => {
    const path = join(below, entry.name);
    return entry.isDirectory() ? [path, ...tree(folder, path)] : [path];
  });
}

/** What somebody's name made of the folders of a daemon, which writes files of its own meanwhile. */
function madeIn(dir: string): readonly string[] {
  const own = ['config.yaml', 'run', 'state', 'vms.d'];
  const beside = readdirSync(dir).filter((name) => !own.includes(name));
  const below = tree(dir).filter((path) =>
    /evil|aaaa|notify\/(spool|secrets)\/|hooks\.json|overrides\.json/.test(path),
  );
  return [...beside, ...below];
}

function documents(name: string, namespace: string): string {
  return JSON.stringify({
    apiVersion: 'vmpulse.dev/v1',
    kind: 'VirtualMachineHost',
    metadata: { name, namespace },
    spec: { hypervisor: { qemu: { memory: '128Mi' } } },
  });
}

/** Each place where a name is given and may become a part of a path. */
const PLACES: readonly (readonly [what: string, path: string, body: (name: string) => object])[] = [
  ['a channel', '/v1/notifications/add', (name) => ({ name, webhook: 'https://example.com/' })],
  ['a channel with a secret', '/v1/notifications/add', (name) => ({ name, slack: 'https://example.com/x' })],
  ['a channel to be removed', '/v1/notifications/remove', (name) => ({ name })],
  ['a channel to be tried', '/v1/notifications/test', (channel) => ({ channel })],
  ['a token', '/v1/tokens/create', (name) => ({ name, scope: 'read' })],
  ['a token to be revoked', '/v1/tokens/revoke', (name) => ({ name })],
  ['a hook to be removed', '/v1/hooks/remove', (id) => ({ id })],
  ['the VM of a hook', '/v1/hooks/add', (vm) => ({ vm, event: 'pre-start', argv: ['/bin/true'] })],
  ['the program of a hook', '/v1/hooks/add', (file) => ({ event: 'pre-start', file: `evil/${file}` })],
  ['a VM that is held', '/v1/recovery/hold', (vm) => ({ vm, reason: 'r' })],
  ['a VM of a setting', '/v1/config', (vm) => ({ changes: [{ vm, path: 'recovery.enabled', value: true }] })],
  ['a setting', '/v1/config', (path) => ({ changes: [{ path, value: true }] })],
  [
    'the name in a document',
    '/v1/apply',
    (name) => ({ files: [{ path: 'x.yaml', text: documents(name, 'default') }] }),
  ],
  [
    'the namespace in a document',
    '/v1/apply',
    (name) => ({ files: [{ path: 'x.yaml', text: documents('evil', name) }] }),
  ],
  ['a rule to be removed', '/v1/security-groups/remove-rule', (id) => ({ id })],
  ['the VM of a rule', '/v1/security-groups/add-rule', (vm) => ({ vm, rule: { port: 80 } })],
];

const plan = (name: string, more: object) => ({
  idempotency_key: `key-${Buffer.from(name).toString('hex').slice(0, 40)}-${JSON.stringify(more).length}`,
  actions: [{ operation_id: 'one', operation: 'CREATE', vm_id: 'evil', ...more }],
});

describe('names that lead elsewhere', PATIENT, () => {
  it('are refused wherever they are given, and nothing is made of them', async () => {
    const { here, ask } = await daemonWithVm();
    for (const name of NAMES)
      for (const [what, path, body] of PLACES) {
        const { status } = await ask('POST', path, JSON.stringify(body(name)));
        expect({ what, name, status }).toEqual({
          what,
          name,
          status: expect.toBeOneOf([400, 404, 422, 501]),
        });
      }
    expect(madeIn(here.dir)).toEqual([]);
    expect(existsSync('/tmp/vmpulse-evil')).toBe(false);
  });

  it('of a plan make no VM and no file', async () => {
    const { here, ask } = await daemonWithVm();
    for (const name of NAMES)
      for (const more of [{ vm_id: name }, { name }, { namespace: name }]) {
        const answer = await ask('POST', '/v1/plans', JSON.stringify(plan(name, more)));
        expect({ name, status: answer.status }).toEqual({ name, status: expect.toBeOneOf([200, 400]) });
      }
    // Those that a plan's own check lets through fail in it.
    await expect
      .poll(async () => JSON.stringify((await ask('GET', '/v1/plans')).body), { timeout: 60_000 })
      .not.toMatch(/"(PENDING|RUNNING)"/);
    const { body } = await ask('GET', '/v1/plans');
    expect(JSON.stringify(body)).not.toContain('SUCCEEDED');
    expect(madeIn(here.dir)).toEqual([]);
    expect(existsSync('/tmp/vmpulse-evil')).toBe(false);
  });

  it('in the path of a request are those of no VM', async () => {
    const { here, ask, check } = await daemonWithVm();
    const withName = check.operations.filter(({ path }) => path.includes('{name}'));
    expect(withName.length).toBeGreaterThan(20);
    for (const name of NAMES)
      for (const { method, path } of withName) {
        const place = fillIn(path, () => encodeURIComponent(name));
        const { status } = await ask(method, place, method === 'POST' ? '{}' : undefined);
        expect({ method, path, name, status }).toEqual({
          ...{ method, path, name },
          status: expect.toBeOneOf([400, 401, 404, 405, 429]),
        });
      }
    expect(madeIn(here.dir)).toEqual([]);
  });

  it('of the file of a log and of the files of an apply are only names', async () => {
    const { here, ask } = await daemonWithVm();
    const own = join(here.dir, 'state', 'vms', 'default', 'web-1');
    mkdirSync(own, { recursive: true });
    writeFileSync(join(own, 'commands.log'), 'its own\n');
    for (const name of ['../../../../etc/passwd', '/etc/passwd', '1:2']) {
      const query = new URLSearchParams({ source: 'commands', file: name });
      expect(await ask('GET', `/v1/vms/web-1/logs?${query}`)).toMatchObject({
        status: 200,
        body: { text: expect.stringContaining('its own') },
      });
    }
    const text = `${documents('evil', 'default')}\n---\n${JSON.stringify({
      apiVersion: 'kubevirt.io/v1',
      kind: 'VirtualMachine',
      metadata: { name: 'evil' },
      spec: { runStrategy: 'Halted', template: { spec: {} } },
    })}`;
    const applied = await ask(
      'POST',
      '/v1/apply',
      JSON.stringify({ files: [{ path: '../../../../../../tmp/vmpulse-evil', text }] }),
    );
    expect(applied).toMatchObject({ status: 200 });
    expect(existsSync('/tmp/vmpulse-evil')).toBe(false);
    expect(madeIn(here.dir).length).toBeGreaterThan(0);
    for (const path of madeIn(here.dir)) expect(path).toMatch(/^(state|run)\/(documents|vms)/);
  });

  it('or not, secrets are for the daemon alone', async () => {
    const { here, ask } = await daemonWithVm();
    const slack = { name: 'chat', slack: 'https://hooks.example.com/secret' };
    expect(await ask('POST', '/v1/notifications/add', JSON.stringify(slack))).toMatchObject({ status: 200 });
    const state = join(here.dir, 'state');
    expect(statSync(state).mode & 0o027).toBe(0);
    expect(statSync(join(state, 'notify')).mode & 0o077).toBe(0);
    expect(statSync(join(state, 'notify', 'secrets')).mode & 0o077).toBe(0);
    expect(statSync(join(state, 'notify', 'secrets', 'chat')).mode & 0o077).toBe(0);
  });
});
