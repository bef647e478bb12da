import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { compileVms } from '../../src/config/compile-config.js';
import { layRecovery } from '../../src/config/recovery-layers.js';
import { vmRecoverySchema } from '../../src/config/recovery-schema.js';
import { matchesGlob } from '../../src/model/glob.js';
import { DEFAULT_RECOVERY } from '../../src/policy/index.js';
import { daemonConfig, FACTS, pair, problemsOf } from './compile.js';

const policy = (name: string, spec: string) =>
  `{apiVersion: vmpulse.dev/v1, kind: RecoveryPolicy, metadata: {name: ${name}}, spec: {${spec}}}`;
const vm = (name: string, recovery = '{}', labels = '{}') =>
  pair({
    name,
    spec: `hypervisor: {qemu: {memory: 1Gi, extraArgs: [-nodefaults]}}, recovery: ${recovery}`,
  }).replace(`metadata: {name: ${name}}`, `metadata: {name: ${name}, labels: ${labels}}`);

function compile(daemon: string, ...texts: string[]) {
  const files = texts.map((text, index) => ({ path: `/etc/vmpulse/vms.d/${index + 1}.yaml`, text }));
  const { vms, warnings } = compileVms(files, daemonConfig(daemon), FACTS);
  return { warnings, of: (name: string) => vms.find((each) => each.name === name) };
}

describe('RecoveryPolicy', () => {
  it('is laid over the host, by priority and then by name, and the host document over it', () => {
    const { of, warnings } = compile(
      'recovery: {grace: 1m, stableFor: 1m, vetoWindow: 1m, backoff: {base: 1s}}',
      policy('z-low', "selector: {names: ['*']}, recovery: {enabled: true, stableFor: 2m, vetoWindow: 2m}"),
      policy(
        'b-high',
        "selector: {names: ['web-?']}, priority: 5, recovery: {vetoWindow: 3m, backoff: {cap: 10m}}",
      ),
      policy('a-high', "selector: {names: ['web-?']}, priority: 5, recovery: {vetoWindow: 4m, maxPer24h: 7}"),
      vm('web-1', '{maxPer24h: 8}'),
      vm('db'),
    );
    expect(warnings).toEqual([]);
    expect(of('web-1')?.recovery).toMatchObject({
      enabled: true,
      graceMs: 60_000,
      stableForMs: 120_000,
      vetoWindowMs: 180_000,
      maxPer24h: 8,
      backoff: { baseMs: 1_000, capMs: 600_000 },
      maxConsecutive: DEFAULT_RECOVERY.maxConsecutive,
    });
    expect(of('web-1')?.recoveryOrigins).toEqual({
      enabled: 'RecoveryPolicy z-low (/etc/vmpulse/vms.d/1.yaml)',
      graceMs: 'host configuration (/etc/vmpulse/config.yaml)',
      stableForMs: 'RecoveryPolicy z-low (/etc/vmpulse/vms.d/1.yaml)',
      vetoWindowMs: 'RecoveryPolicy b-high (/etc/vmpulse/vms.d/2.yaml)',
      maxPer24h: 'VirtualMachineHost (/etc/vmpulse/vms.d/4.yaml)',
      'backoff.baseMs': 'host configuration (/etc/vmpulse/config.yaml)',
      'backoff.capMs': 'RecoveryPolicy b-high (/etc/vmpulse/vms.d/2.yaml)',
    });
    expect(of('db')?.recovery.vetoWindowMs).toBe(120_000);
  });

  it.each([
    ['all labels', '{matchLabels: {app: web, tier: front}}', ['web-1']],
    ['labels and names', "{matchLabels: {app: web}, names: ['*-2', 'db']}", ['web-2']],
    ['a namespace', "{names: ['default/*']}", ['web-1', 'web-2', 'db']],
    ['one of several names', "{names: ['db', 'lab/*']}", ['db']],
  ])('selects by %s', (_, selector, selected) => {
    const { of } = compile(
      '',
      policy('p', `selector: ${selector}, recovery: {enabled: true}`),
      vm('web-1', '{}', '{app: web, tier: front}'),
      vm('web-2', '{}', '{app: web}'),
      vm('db'),
    );
    const found = ['web-1', 'web-2', 'db'].filter((name) => of(name)?.recovery.enabled);
    expect(found).toEqual(selected);
  });

  it('warns of one that selects nobody', () => {
    const { warnings } = compile('', policy('p', "selector: {names: ['wbe-*']}, recovery: {}"), vm('web-1'));
    expect(warnings).toEqual([
      expect.stringMatching(/1\.yaml:1:\d+ spec\.selector: selects none of the VMs; check it/),
    ]);
  });

  it('is told where it contradicts itself for a VM, at the document that says so', () => {
    const text = problemsOf(() =>
      compile('', policy('p', "selector: {names: ['*']}, recovery: {backoff: {cap: 1s}}"), vm('web-1')),
    );
    expect(text).toMatch(
      /1\.yaml:1:\d+ spec\.recovery\.backoff\.cap: must be at least backoff\.base \(10s\)/,
    );
    expect(text).toContain('(for default/web-1, RecoveryPolicy p (/etc/vmpulse/vms.d/1.yaml))');
  });
});

describe('where a value comes from', () => {
  const document = {
    file: 'x',
    value: {},
    placeholders: [],
    placeOf: () => never(),
    placeOfKey: () => never(),
  };
  const never = () => {
    throw new Error('no place is asked for');
  };
  const saidBy = (written: object) =>
    layRecovery(DEFAULT_RECOVERY, [{ origin: 'it', written: vmRecoverySchema.parse(written), document }])
      .origins;

  it('is known of each option', () => {
    const mappings: Record<string, unknown> = { backoff: { base: '10s' }, breaker: { failures: 5 } };
    for (const [name, field] of Object.entries(vmRecoverySchema.shape)) {
      const { example } = z.globalRegistry.get(field.unwrap()) ?? {};
      const value: unknown = mappings[name] ?? parse(String(example));
      const said = Object.keys(saidBy({ [name]: value }));
      expect(
        said.map((path) => path.split('.')[0]?.replace(/Ms$/, '')),
        name,
      ).toContain(name);
    }
  });

  it('is the one that repeats a default, and that of a value which follows from another', () => {
    expect(saidBy({ grace: '120s' })).toEqual({ graceMs: 'it' });
    expect(saidBy({ gracefulStop: '5m' })).toEqual({ gracefulStopMs: 'it', stepTimeoutMs: 'it' });
    expect(saidBy({})).toEqual({});
  });
});

describe('a glob', () => {
  it.each([
    ['web-*', 'web-', true],
    ['web-*', 'web-12', true],
    ['web-?', 'web-12', false],
    ['*', 'lab/db', true],
    ['a.c', 'abc', false],
    ['lab/*', 'lab/db', true],
    ['(x|y)+', '(x|y)+', true],
    [`${'*'.repeat(30)}b`, 'a'.repeat(200), false],
  ])('%s on %s is %s', (pattern, name, matches) => {
    expect(matchesGlob(pattern, name)).toBe(matches);
  });
});
