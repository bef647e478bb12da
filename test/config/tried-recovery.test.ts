import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadTriedRecovery } from '../../src/config/index.js';
import { DEFAULT_POLICY_CONFIG, DEFAULT_RECOVERY } from '../../src/policy/index.js';
import { testFolder } from '../fixtures/folder.js';
import { pair } from './compile.js';

const policy = (name: string, spec: string) =>
  `{apiVersion: vmpulse.dev/v1, kind: RecoveryPolicy, metadata: {name: ${name}}, spec: {${spec}}}`;
const vm = (name: string, recovery: string) =>
  pair({ name, spec: `hypervisor: {qemu: {memory: 1Gi, extraArgs: [-nodefaults]}}, recovery: ${recovery}` });

function written(name: string, ...documents: readonly string[]): string {
  const path = join(testFolder(), name);
  writeFileSync(path, documents.join('\n---\n'));
  return path;
}

describe('recovery that is tried', () => {
  it('is that of policies, laid over the defaults in their order, once for each VM that they tell apart', async () => {
    const { limits, recoveries, of } = await loadTriedRecovery(
      written(
        'policies.yaml',
        policy('all', "selector: {names: ['*']}, recovery: {enabled: true, stableFor: 2m, grace: 3m}"),
        policy('web', 'selector: {matchLabels: {app: web}}, priority: 2, recovery: {stableFor: 4m}'),
        policy('db', "selector: {names: ['lab/db-?']}, priority: 1, recovery: {grace: 5m, maxPer24h: 4}"),
      ),
    );
    expect(limits).toBeUndefined();
    expect(recoveries.map(({ enabled, stableForMs, graceMs }) => [enabled, stableForMs, graceMs])).toEqual([
      [true, 120_000, 180_000],
      [true, 120_000, 300_000],
      [true, 240_000, 180_000],
    ]);
    expect(of('lab/db-1')).toMatchObject({ graceMs: 300_000, maxPer24h: 4 });
    expect(of('default/db-1')).toMatchObject({ graceMs: 180_000, maxPer24h: DEFAULT_RECOVERY.maxPer24h });
  });

  it('is that of the VMs of a configuration, with its limits', async () => {
    const dir = testFolder();
    const vms = join(dir, 'vms.d');
    mkdirSync(vms);
    writeFileSync(join(vms, 'web.yaml'), [vm('web-1', '{maxPer24h: 7}'), vm('db', '{}')].join('\n---\n'));
    writeFileSync(
      join(vms, 'policies.yaml'),
      policy('web', "selector: {names: ['web-*']}, recovery: {grace: 5m}"),
    );
    const config = join(dir, 'config.yaml');
    writeFileSync(
      config,
      `{manifests: [${vms}], stateDir: ${join(dir, 'state')}, recovery: {stableFor: 90s}, limits: {bootsPerMinute: 4, brakeFrom: 9}}`,
    );
    const { limits, recoveries, of } = await loadTriedRecovery(config);
    expect({ ...DEFAULT_POLICY_CONFIG, ...limits }).toEqual({
      ...DEFAULT_POLICY_CONFIG,
      ...{ maxBootsPerMinute: 4, brakeMinVms: 9 },
    });
    const figures = ({ stableForMs, graceMs, maxPer24h }: (typeof recoveries)[number]) => [
      ...[stableForMs, graceMs, maxPer24h],
    ];
    expect(recoveries.map(figures)).toEqual([
      [90_000, 120_000, 10],
      [90_000, 300_000, 7],
    ]);
    expect(figures(of('default/web-1'))).toEqual([90_000, 300_000, 7]);
    // No VM of the files, and one that a policy selects all the same.
    expect(figures(of('default/web-9'))).toEqual([90_000, 300_000, 10]);
  });

  it('is refused where it contradicts itself, at its place', async () => {
    const path = written(
      'policies.yaml',
      policy('web', 'selector: {matchLabels: {app: web}}, recovery: {backoff: {cap: 1s}}'),
    );
    await expect(loadTriedRecovery(path)).rejects.toThrow(
      /policies\.yaml:1:\d+ spec\.recovery\.backoff\.cap: must be at least backoff\.base/,
    );
  });

  it('is refused where there is no file', async () => {
    await expect(loadTriedRecovery(join(testFolder(), 'none.yaml'))).rejects.toThrow(/none\.yaml/);
  });
});
