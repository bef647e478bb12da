import { appendFileSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { identify } from '../../src/hypervisors/process.js';
import { needsLab } from '../lab/availability.js';
import { poll } from '../lab/poll.js';
import { Sink } from '../unit/notify/sink.js';
import { configureVm, DaemonUnderTest, MINUTE, type World } from './world.js';

/** Impatient, so that it fits into a test. */
const RECOVERY = {
  'recovery.grace': '5s',
  'recovery.stableFor': '2s',
  'recovery.backoff': { base: '1s', cap: '2s', jitter: 0 },
};

let current: DaemonUnderTest | undefined;

beforeEach((context) => {
  needsLab(context);
});

afterEach(async () => {
  await current?.dispose();
  current = undefined;
}, MINUTE);

interface Told {
  readonly incidents: readonly { readonly notices: readonly { readonly kind: string }[] }[];
}

interface Reported {
  readonly vms: readonly { readonly id: string; readonly health: string }[];
  readonly events: readonly { readonly text: string }[];
}

/** Every hook writes its event and reason to a file; pre-start is refused while another one is there. */
function withHooks(world: World, channel: Sink, control: Sink): void {
  const hook = join(world.dir, 'hook');
  writeFileSync(
    hook,
    `#!/bin/sh
echo "$VMPULSE_EVENT $1 $2" >> ${world.dir}/ran
[ "$VMPULSE_EVENT" = pre-start ] && [ -e ${world.dir}/blocked ] && { echo "ERROR: Shared storage not mounted"; exit 1; }
exit 0
`,
    { mode: 0o755 },
  );
  const global = ['pre-start', 'post-start', 'post-stop', 'on-failure', 'on-recovery']
    .map((event) => `    - {event: ${event}, file: ${hook}}\n`)
    .join('');
  writeFileSync(join(world.dir, 'token'), 't0ken\n', { mode: 0o600 });
  appendFileSync(
    world.config,
    `
hooks:
  global:
${global}notifications:
  group: 500ms
  channels:
    - {name: people, level: all, webhook: {url: 'http://127.0.0.1:${channel.port}/'}}
report: {url: 'http://127.0.0.1:${control.port}/', tokenFile: ${world.dir}/token, interval: 1s}
`,
  );
  configureVm(world, 'a', RECOVERY);
}

it('hooks keep a dead VM down until they let it start, people and a control plane hear of it, and a crash leaves no hook', {
  timeout: 6 * MINUTE,
}, async () => {
  const [people, control] = [await Sink.open(), await Sink.open()];
  const test = await DaemonUnderTest.create(['a'], {
    prepare: (world) => withHooks(world, people, control),
  });
  current = test;
  await test.allHealthy();
  const { dir } = test.world;
  const ran = () => readFileSync(join(dir, 'ran'), 'utf8').trim().split('\n');
  await poll('post-start ran', MINUTE, async () => (ran().length === 2 ? true : undefined));
  expect(ran()).toEqual(['pre-start a start-up', 'post-start a start-up']);

  writeFileSync(join(dir, 'blocked'), '');
  const { vmm } = await test.vm('a');
  process.kill(vmm?.pid ?? 0, 'SIGKILL');
  const held = await test.explainedOnce('held by its hook', 'a', ({ holds }) =>
    holds.some(({ rule }) => rule === 'pre-start'),
  );
  expect(held.holds[0]?.text).toContain('exit status 1: ERROR: Shared storage not mounted');
  expect(held.budget.consecutiveUsed).toBe(0);
  const refused = test.cli('apply', '--plan', plan(dir));
  expect(refused.output).toContain('ERROR: Shared storage not mounted');

  rmSync(join(dir, 'blocked'));
  await test.vmOnce(
    'well again',
    'a',
    ({ health, vmm: next }) => health === 'healthy' && next?.pid !== vmm?.pid,
    2 * MINUTE,
  );
  const dead = 'a vmm-dead/process-gone';
  await poll('on-recovery ran', MINUTE, async () =>
    ran().includes(`on-recovery ${dead}`) ? true : undefined,
  );
  expect(ran()).toEqual(
    expect.arrayContaining(['post-stop a ended by itself', `on-failure ${dead}`, `pre-start ${dead}`]),
  );
  expect(test.cli('hooks', 'logs', 'a').output).toContain('ERROR: Shared storage not mounted');

  const kinds = () =>
    (people.bodies as Told[]).flatMap(({ incidents }) =>
      incidents.flatMap(({ notices }) => notices.map(({ kind }) => kind)),
    );
  await poll('people are told', MINUTE, async () => (kinds().includes('recovered') ? true : undefined));
  expect(kinds()).toEqual(
    expect.arrayContaining(['daemon-started', 'failure', 'start-blocked', 'recovery-begun', 'recovered']),
  );
  const reports = () => control.bodies as Reported[];
  await poll('the control plane is told', MINUTE, async () =>
    reports().some(({ events }) => events.some(({ text }) => text.startsWith('healthy for')))
      ? true
      : undefined,
  );
  expect(reports().at(-1)?.vms).toMatchObject([{ id: 'demo/a', health: 'healthy' }]);

  expect(test.cli('hooks', 'add', 'a', 'pre-stop', '--', '/bin/sleep', '600').status).toBe(0);
  const given = test.give('hooks', 'test', 'a', 'pre-stop');
  const folder = join(dir, 'run', 'hooks');
  const pid = await poll('the hook runs', MINUTE, async () => {
    const [file] = existsSync(folder) ? readdirSync(folder) : [];
    return file === undefined ? undefined : Number.parseInt(file, 10);
  });
  expect(identify(pid)).toBeDefined();
  await test.crash();
  await given;
  expect(identify(pid)).toBeDefined();
  test.restart();
  await test.ready();
  await poll('the hook is gone', MINUTE, async () => (identify(pid) === undefined ? true : undefined));
});

function plan(dir: string): string {
  const path = join(dir, 'plan.json');
  const actions = [{ operation_id: 'start-1', operation: 'START', vm_id: 'a' }];
  writeFileSync(path, JSON.stringify({ idempotency_key: 'start-a', actions }));
  return path;
}
