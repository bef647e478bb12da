import { describe, expect, it } from 'vitest';
import { compileDaemonConfig, compileVms } from '../../src/config/compile-config.js';
import type { Override } from '../../src/config/overrides/override.js';
import { daemonConfig, FACTS, pair } from './compile.js';

const AT = Date.UTC(2026, 0, 1);

function override(path: string, value: unknown, more: Partial<Override> = {}): Override {
  return { vm: 'default/web-1', path, value, author: 'ann@0', reason: '', atMs: AT, untilMs: null, ...more };
}

function compiled(overrides: readonly Override[], text = pair(), config = '') {
  const files = [{ path: 'vms.yaml', text }];
  const { vms, overrides: state } = compileVms(files, daemonConfig(config), FACTS, overrides);
  const [vm] = vms;
  if (vm === undefined) throw new Error('no VM');
  return { vm, state, probe: (name: string) => vm.probes.find((each) => each.name === name) };
}

const WEB = `hypervisor: {qemu: {memory: 1Gi}}, address: 192.0.2.1, probes: [{name: web, httpGet: {port: 80}, timeoutSeconds: 2}]`;

describe('overrides of a VM', () => {
  it('change a value, and are named as its origin', () => {
    const untilMs = AT + 7_200_000;
    const { vm, state } = compiled([
      override('recovery.enabled', true, { untilMs }),
      override('recovery.backoff.cap', '10m'),
    ]);
    expect(vm.recovery).toMatchObject({ enabled: true, backoff: { capMs: 600_000, baseMs: 10_000 } });
    expect(vm.recoveryOrigins).toMatchObject({
      enabled: 'override by ann@0 until 2026-01-01T02:00:00.000Z',
      'backoff.capMs': 'override by ann@0',
    });
    expect(state.inForce).toHaveLength(2);
    expect(state.setAside).toEqual([]);
  });

  it('reach a probe of a list by its name, and take the place of the twin of a field', () => {
    const { probe } = compiled(
      [override('probes.web.timeoutMs', 4000), override('probes.web.httpGet.path', '/up')],
      pair({ spec: WEB }),
    );
    expect(probe('web')).toMatchObject({
      timing: { timeoutMs: 4000 },
      check: { http: { path: '/up', port: 80 } },
    });
  });

  it('add a probe, change its kind, and remove it', () => {
    const added = compiled(
      [override('probes.extra', { tcpSocket: { port: 22 }, critical: true })],
      pair({ spec: WEB }),
    );
    expect(added.probe('extra')).toMatchObject({ check: { kind: 'tcpSocket', port: 22 }, critical: true });
    const turned = compiled([override('probes.web.tcpSocket.port', 81)], pair({ spec: WEB }));
    expect(turned.probe('web')?.check).toMatchObject({ kind: 'tcpSocket', port: 81 });
    expect(compiled([override('probes.web', null)], pair({ spec: WEB })).probe('web')).toBeUndefined();
  });

  it('lift a probe out of the manifest, where own fields cannot stand', () => {
    const { probe, state } = compiled([override('readinessProbe.timeoutMs', 250)]);
    expect(state.setAside).toEqual([]);
    expect(probe('readiness')).toMatchObject({
      check: { kind: 'guestAgentPing' },
      timing: { timeoutMs: 250 },
    });
  });

  it('change the run strategy, which the manifest has', () => {
    expect(compiled([override('runStrategy', 'Halted')]).vm.runStrategy).toBe('Halted');
    expect(
      compiled([override('runStrategy', 'Halted')], pair().replace('runStrategy: Always', 'running: true')).vm
        .runStrategy,
    ).toBe('Halted');
  });

  it.each([
    [
      'recovery.enabled',
      'maybe',
      /override default\/web-1 recovery\.enabled by ann@0 spec\.recovery\.enabled: .*true or false/,
    ],
    [
      'recovery.enabeld',
      true,
      /spec\.recovery\.enabeld: is not a field of recovery; did you mean "enabled"\?/,
    ],
    ['probes.web.timeoutMs', 20_000, /spec\.probes\[0\]\.timeoutMs: must be shorter than the period/],
    ['recovery.backoff.base', '1h', /backoff\.cap: must be at least backoff\.base/],
    ['recovery', 'off', /spec\.recovery: must be a mapping/],
    ['probes', 'none', /spec\.probes: must be a list/],
  ])('%s = %j is set aside, with its place, and the VM is as the files say', (path, value, why) => {
    const base = compiled([], pair({ spec: WEB }));
    const { vm, state } = compiled([override(path, value)], pair({ spec: WEB }));
    expect(vm).toEqual(base.vm);
    expect(state.setAside).toEqual([{ override: override(path, value), why: expect.stringMatching(why) }]);
  });

  it('that fit hold beside those that do not', () => {
    const fits = override('recovery.enabled', true);
    const { vm, state } = compiled([override('nothing.of.that', 1), fits]);
    expect(vm.recovery.enabled).toBe(true);
    expect(state).toMatchObject({ inForce: [fits], setAside: [{}] });
  });

  it('wait where the VM is not defined', () => {
    const other = override('recovery.enabled', true, { vm: 'default/gone' });
    expect(compiled([other]).state).toEqual({ inForce: [], setAside: [], idle: [other] });
  });

  it('do not excuse what is wrong with the files', () => {
    const text = pair({ spec: 'hypervisor: {qemu: {memory: much}}' });
    expect(() => compiled([override('recovery.enabled', true)], text)).toThrow(
      /vms\.yaml:\d+:\d+ spec\.hypervisor\.qemu\.memory/,
    );
  });
});

describe('overrides of the daemon', () => {
  const file = { path: '/etc/vmpulse/config.yaml', text: 'logLevel: warn\nrecovery: {grace: 1m}\n' };
  const host = (path: string, value: unknown) => override(path, value, { vm: null });

  it('change its values, and are named as their origin', () => {
    const { config, origins } = compileDaemonConfig(file, FACTS, [
      host('logLevel', 'debug'),
      host('recovery.enabled', true),
    ]);
    expect(config).toMatchObject({ logLevel: 'debug', recovery: { enabled: true, graceMs: 60_000 } });
    expect(origins).toEqual({
      logLevel: 'override by ann@0',
      'recovery.grace': '/etc/vmpulse/config.yaml:2:19',
      'recovery.enabled': 'override by ann@0',
    });
    expect(config.recoveryOrigins).toEqual({
      enabled: 'override by ann@0',
      graceMs: 'host configuration (/etc/vmpulse/config.yaml)',
    });
  });

  it('of one value stand over those above it', () => {
    const { config } = compileDaemonConfig(file, FACTS, [
      host('recovery', { grace: '5s' }),
      host('recovery.grace', '7s'),
    ]);
    expect(config.recovery.graceMs).toBe(7000);
  });

  it('are refused with their name as the place', () => {
    expect(() => compileDaemonConfig(file, FACTS, [host('logLevel', 'loud')])).toThrow(
      /^override logLevel by ann@0 logLevel: cannot be "loud"/,
    );
  });
});

describe('probes of the configuration', () => {
  const timing = (config: string, probe: string) =>
    compiled([], pair({ probe }), config).probe('readiness')?.timing;
  const HOST =
    'probes: {period: 60s, timeout: 30s, failureThreshold: 4, successThreshold: 2, retryDelay: 5s}';

  it('are what a probe gets that says nothing', () => {
    expect(timing(HOST, '{guestAgentPing: {}}')).toEqual({
      initialDelayMs: 0,
      periodMs: 60_000,
      timeoutMs: 30_000,
      successThreshold: 2,
      failureThreshold: 4,
      retryPeriodMs: 35_000,
    });
  });

  it('give way to what it says', () => {
    expect(timing(HOST, '{guestAgentPing: {}, periodSeconds: 20, failureThreshold: 1}')).toMatchObject({
      periodMs: 20_000,
      timeoutMs: 10_000,
      failureThreshold: 1,
      retryPeriodMs: 15_000,
    });
    expect(timing('probes: {period: 2s}', '{guestAgentPing: {}, timeoutSeconds: 5}')).toMatchObject({
      periodMs: 10_000,
      timeoutMs: 5000,
    });
  });

  it('leave liveness probes their one success, and the probes of vmpulse itself alone', () => {
    const text = pair({ spec: `${WEB}, livenessProbe: {guestAgentPing: {}}` }).replace(
      'readinessProbe: {guestAgentPing: {}}',
      '',
    );
    const { probe } = compiled([], text, HOST);
    expect(probe('liveness')?.timing.successThreshold).toBe(1);
    expect(probe('vmm-process')?.timing.periodMs).toBe(1000);
  });

  it('change nothing without being written', () => {
    expect(timing('', '{guestAgentPing: {}}')).toEqual({
      initialDelayMs: 0,
      periodMs: 10_000,
      timeoutMs: 1000,
      successThreshold: 1,
      failureThreshold: 3,
    });
  });
});
