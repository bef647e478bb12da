import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { daemonSchema } from '../../../src/config/daemon-schema.js';
import type { Setting } from '../../../src/config/index.js';
import { leavesOf } from '../../../src/config/mapping.js';
import { shapeAt, shapeOf } from '../../../src/config/schema-shape.js';
import { place, VM } from './configured.js';

/** Every option of the daemon but for those that each test of this folder gives itself. */
const EVERYTHING = `hostName: kvm-3
runDir: /run/elsewhere
socket: /run/elsewhere/api.sock
logLevel: debug
api:
  socketGroup: ops
  access: {read: [ann, '@wheel'], operate: ['1000'], admin: [root]}
  listen:
    address: '[2001:db8::1]:9443'
    certificate: /etc/vmpulse/tls.pem
    key: /etc/vmpulse/tls.key
    clientCa: /etc/vmpulse/ca.pem
    clients: [{commonName: ops, scope: operate}]
heartbeats: {listen: 192.0.2.1:9811}
metrics:
  listen: '[::1]:9810'
  seedNames: true
  push: {endpoint: http://prometheus:9090, every: 15s, tokenFile: /etc/vmpulse/push}
readiness: {agentCheck: 127.0.0.1:9812}
journal: {maxAge: 12h, maxSize: 256Mi}
networks: [{bridge: vmbr0, address: 10.77.0.1/24, nat: true, uplink: eth0}]
hostWatchdog: {device: /dev/watchdog, timeout: 2m, pretimeout: 30s}
engine:
  {backend: portable, maxInFlight: 9, maxInFlightPerDestination: 8, maxPacketsPerSecond: 7, tickMs: 6, lateMs: 5, blindAfter: 4, threads: 2, reactor: epoll}
probes: {period: 12s, timeout: 2s, successThreshold: 2, failureThreshold: 5, retryDelay: 3s}
recovery:
  enabled: true
  grace: 1m30s
  graceMax: 11m
  kdumpTimeout: 4m
  stableFor: 50s
  wedgedAfter: 40s
  vetoWindow: 45s
  suspendedMax: 2h
  maxConsecutive: 2
  maxPer24h: 9
  backoff: {base: 9s, cap: 200s, jitter: 0.25}
  breaker: {failures: 4, hold: 3m}
  stepTimeout: 80s
  gracefulStop: 20s
  startPriority: 7
  recreate: true
  skip: [reset]
  actionWindows: ['Mon,Fri 22:05-06:00', '03:00-04:30']
limits:
  {concurrentRecoveries: 3, bootsPerMinute: 11, brakeRatio: 0.4, brakeFrom: 4, brakeCooldown: 4m, brakeEscalateAfter: 20m, sharedCauseWindow: 20s, maxEject: 0.6, sharedCauseFrom: 5}
hooks:
  timeout: 20s
  concurrency: 3
  global:
  - {event: pre-start, file: /etc/vmpulse/hooks/check}
  - {event: post-start, argv: [/bin/true, a], user: nobody, timeout: 5s}
  - {event: on-failure, command: 'logger "$1"', shell: true}
notifications:
  group: 20s
  perHour: 30
  smtp: {host: mail.example.com, port: 2525, security: tls, from: vmpulse@example.com, user: vmpulse, passwordEnv: SMTP_PASSWORD, caFile: /etc/vmpulse/mail.pem}
  channels:
  - {name: mail, level: all, vms: [default/web-*], email: {to: [ops@example.com]}}
  - {name: chat, slack: {urlFile: /etc/vmpulse/slack, caFile: /etc/vmpulse/slack.pem}}
  - {name: pager, level: critical, exec: {argv: [/usr/bin/page], user: nobody}}
  - {name: desk, webhook: {url: 'https://desk.example.com', tokenEnv: DESK_TOKEN, caFile: /etc/vmpulse/desk.pem}}
report: {url: 'https://control.example.com', tokenFile: /etc/vmpulse/report, interval: 45s, caFile: /etc/vmpulse/report.pem}
`;

const FIXED = ['hostName', 'manifests', 'runDir', 'socket', 'stateDir'];

const DOCUMENTS = `apiVersion: kubevirt.io/v1
kind: VirtualMachine
metadata: {name: web-1}
spec:
  runStrategy: Manual
  template: {spec: {readinessProbe: {tcpSocket: {port: 80}, periodSeconds: 20, timeoutSeconds: 3}}}
---
apiVersion: vmpulse.dev/v1
kind: VirtualMachineHost
metadata: {name: web-1}
spec:
  address: 192.0.2.1
  hypervisor: {qemu: {memory: 128Mi, guestAgent: true}}
  livenessProbe: {guestAgentPing: {}, initialDelaySeconds: 30}
  startupProbe: {httpGet: {port: 80, path: /started, expect: {status: [200-299, 404]}}}
  probes:
  - {name: web, role: readiness, httpGet: {port: 443, scheme: HTTPS, httpHeaders: [{name: X-Probe, value: a}]}, weight: 2}
  - {name: ssh, ssh: {}, enabled: false, critical: true, downPeriodMs: 30000}
  monitoring: {level: basic, checks: {disk: true}, disk: {warning: 70}}
  maintenance:
  - {name: nightly, schedule: 30 3 * * *, do: tmpfiles-clean}
  - {name: weekly, schedule: 30 3 * * Sun, command: [/usr/local/sbin/rotate]}
  recovery: {exec: [/usr/local/sbin/repair], skip: [power-cycle], actionWindows: ['Sat 22:00-06:00']}
`;

type Placed = Awaited<ReturnType<typeof place>>;

const asWritten = (settings: readonly Setting[]) =>
  Object.fromEntries(settings.map(({ path, value }) => [path, value]));

/** Sets each setting to what it is shown to be, all at once; and tells what is shown then. */
async function setAll(here: Placed, vm: string | null): Promise<readonly Setting[]> {
  const settings = here.configuration
    .view(vm)
    .settings.filter(({ path }) => vm !== null || !FIXED.includes(path));
  await here.change(settings.map(({ path, value }) => ({ vm, path, value })));
  return here.configuration.view(vm).settings.filter(({ path }) => vm !== null || !FIXED.includes(path));
}

describe('the settings that are shown of the daemon', () => {
  it('are those of the file, with their names, values and places', async () => {
    const here = await place(undefined, EVERYTHING);
    const { settings } = here.configuration.view(null);
    const written = Object.fromEntries(leavesOf(parse(EVERYTHING)));
    const shown = asWritten(settings);
    // A duration is told in its largest units.
    expect(shown).toMatchObject({ 'recovery.backoff.cap': '3m20s', 'recovery.stepTimeout': '1m20s' });
    for (const [path, value] of Object.entries(written)) {
      if (['recovery.backoff.cap', 'recovery.stepTimeout'].includes(path)) continue;
      expect(JSON.stringify(shown[path]), path).toBe(JSON.stringify(expected(path, value)));
    }
    expect(Object.keys(shown).toSorted()).toEqual(
      [...Object.keys(written), 'manifests', 'stateDir'].toSorted(),
    );
    for (const { path, origin } of settings) expect(origin, path).toMatch(/config\.yaml:\d+:\d+$/);
  });

  it.each([
    ['with everything written', EVERYTHING],
    ['with nothing written', ''],
  ])('can be set to what they are, or are refused as fixed, %s', async (_how, config) => {
    const here = await place(undefined, config);
    const before = here.configuration.view(null).settings;
    const shape = shapeOf(daemonSchema);
    for (const { path } of before) expect(shapeAt(shape, path.split('.')), path).toBeDefined();
    const { config: former } = here.loaded();
    const after = await setAll(here, null);
    expect(asWritten(after)).toEqual(asWritten(before.filter(({ path }) => !FIXED.includes(path))));
    for (const { path, origin } of after) expect(origin, path).toBe('override by ann@0');
    const { recoveryOrigins: _now, ...now } = here.loaded().config;
    const { recoveryOrigins: _then, ...then } = former;
    expect(now).toEqual(then);
    for (const path of FIXED) {
      const value = before.find((each) => each.path === path)?.value;
      expect(value, path).toBeDefined();
      await expect(here.change([{ vm: null, path, value }])).rejects.toMatchObject({
        code: 'ERR_VMPULSE_ARGUMENT',
        message: expect.stringContaining('change the configuration file and restart'),
      });
    }
  });
});

/** Where a list is shown, what is not written of its entries is shown, too. */
function expected(path: string, value: unknown): unknown {
  if (path !== 'notifications.channels' || !Array.isArray(value)) return value;
  return value.map(({ name, level = 'warnings', vms = [], ...way }) => ({ name, level, vms, ...way }));
}

describe('the settings that are shown of a VM', () => {
  it('can be set to what they are', async () => {
    const here = await place(DOCUMENTS, '');
    const { settings } = here.configuration.view(VM);
    const former = here.vm();
    const after = await setAll(here, VM);
    expect(asWritten(after)).toEqual(asWritten(settings));
    for (const { path, origin } of after) expect(origin, path).toBe('override by ann@0');
    const probesOf = (vm: typeof former) => vm?.probes.toSorted((a, b) => (a.name < b.name ? -1 : 1));
    expect(probesOf(here.vm())).toEqual(probesOf(former));
    expect(here.vm()).toEqual({
      ...former,
      probes: here.vm()?.probes,
      recoveryOrigins: here.vm()?.recoveryOrigins,
    });
  });

  it('have names and values as documents write them, and say who wrote them', async () => {
    const here = await place(DOCUMENTS, 'probes: {failureThreshold: 5}\n');
    const shown = Object.fromEntries(
      here.configuration.view(VM).settings.map(({ path, value, origin }) => [path, [value, origin]]),
    );
    expect(shown).toMatchObject({
      runStrategy: ['Manual', 'documents'],
      'readinessProbe.tcpSocket': [{ port: 80 }, 'documents'],
      'readinessProbe.periodMs': [20_000, 'documents'],
      'readinessProbe.failureThreshold': [5, expect.stringMatching(/config\.yaml:3:28$/)],
      'livenessProbe.initialDelaySeconds': [30, 'documents'],
      'livenessProbe.critical': [true, 'default'],
      'startupProbe.httpGet': [
        { port: 80, path: '/started', expect: { status: ['200-299', 404] } },
        'documents',
      ],
      'probes.web.httpGet': [
        { port: 443, scheme: 'HTTPS', httpHeaders: [{ name: 'X-Probe', value: 'a' }] },
        'documents',
      ],
      'probes.web.role': ['readiness', 'documents'],
      'probes.vm-state.periodMs': [5000, 'default'],
      'monitoring.checks.disk': [true, 'documents'],
      'monitoring.periodSeconds': [600, 'default'],
      'monitoring.disk.warning': [70, 'documents'],
      'monitoring.disk.critical': [95, 'default'],
      'maintenance.weekly': [{ schedule: '30 3 * * Sun', command: ['/usr/local/sbin/rotate'] }, 'documents'],
      'recovery.actionWindows': [['Sat 22:00-06:00'], expect.stringMatching(/^VirtualMachineHost /)],
      'recovery.skip': [['power-cycle'], expect.stringMatching(/^VirtualMachineHost /)],
    });
    expect(Object.keys(shown).filter((path) => path.startsWith('probes.monitoring-'))).toEqual([]);
  });

  it("let vmpulse's own probes be changed by their names", async () => {
    const here = await place(DOCUMENTS, '');
    await here.change([{ vm: VM, path: 'probes.vm-state.periodMs', value: 7000 }]);
    const own = here.vm()?.probes.find(({ name }) => name === 'vm-state');
    expect(own).toMatchObject({ critical: false, timing: { periodMs: 7000, timeoutMs: 2000 } });
    expect(here.vm()?.probes.filter(({ check }) => check.kind === 'vmState')).toHaveLength(1);
    await here.change([{ vm: VM, path: 'probes.vm-state.periodMs' }]);
    expect(here.vm()?.probes.find(({ name }) => name === 'vm-state')?.timing.periodMs).toBe(5000);
  });
});
