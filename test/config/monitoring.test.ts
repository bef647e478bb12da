import { describe, expect, it } from 'vitest';
import { compileOne, pair } from './compile.js';

const HOST = 'address: 192.0.2.10, hypervisor: {qemu: {memory: 1Gi, extraArgs: [-nodefaults]}}';
const withMonitoring = (monitoring: string, more = '') =>
  compileOne(pair({ spec: `${HOST}, monitoring: ${monitoring}${more}` }));

/** The checks of a level and their periods, s. */
const checks = (monitoring: string) =>
  withMonitoring(monitoring)
    .probes.filter(({ name }) => name.startsWith('monitoring-'))
    .map(({ name, timing }) => [name.slice('monitoring-'.length), timing.periodMs / 1000]);

describe('monitoring levels', () => {
  it.each([
    ['basic', [['connectivity', 600]]],
    [
      'standard',
      [
        ['connectivity', 300],
        ['ssh', 300],
        ['disk', 300],
      ],
    ],
    [
      'advanced',
      [
        ['connectivity', 120],
        ['ssh', 120],
        ['disk', 120],
        ['resources', 120],
        ['logs', 120],
      ],
    ],
  ])('%s', (level, probes) => {
    expect(checks(`{level: ${level}}`)).toEqual(probes);
  });

  it('take another period, and switch single checks on and off', () => {
    const off = '{disk: false, memory: false, cpu: false, logs: false}';
    expect(checks(`{level: advanced, periodSeconds: 60, checks: ${off}}`)).toEqual([
      ['connectivity', 60],
      ['ssh', 60],
    ]);
    expect(checks('{level: basic, checks: {cpu: true}}')).toEqual([
      ['connectivity', 600],
      ['resources', 600],
    ]);
    expect(checks('{}')).toEqual(checks('{level: standard}'));
  });

  it('pass limits and the time-out of the ping on', () => {
    const { probes } = withMonitoring(
      '{level: advanced, connectivityTimeoutSeconds: 60, disk: {warning: 70}, memory: {critical: 99}, checks: {cpu: false}}',
    );
    const probe = (name: string) => probes.find((each) => each.name === `monitoring-${name}`);
    expect(probe('connectivity')?.timing).toMatchObject({ timeoutMs: 60_000, retryPeriodMs: 61_000 });
    expect(probe('disk')?.check).toMatchObject({
      resource: { limits: { disk: { warning: 70, critical: 95 } } },
    });
    expect(probe('resources')?.check).toMatchObject({
      resource: { checks: ['memory'], limits: { memory: { warning: 85, critical: 99 } } },
    });
  });

  it('decide nothing, and stand beside the probes of the VM', () => {
    const vm = withMonitoring('{level: standard}', ', probes: [{name: web, httpGet: {port: 80}}]');
    expect(vm.probes.map(({ name }) => name)).toContain('web');
    for (const probe of vm.probes.filter(({ name }) => name.startsWith('monitoring-')))
      expect(probe).toMatchObject({ role: 'check', critical: false, enabled: true });
    expect(vm.probes.find(({ name }) => name === 'monitoring-disk')?.check).toMatchObject({
      kind: 'resource',
      resource: { checks: ['disk', 'inodes'] },
    });
  });
});
