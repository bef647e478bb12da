import { describe, expect, it } from 'vitest';
import { compileVms } from '../../src/config/compile-config.js';
import { DEFAULT_RECOVERY } from '../../src/policy/defaults.js';
import { daemonConfig, FACTS, pair, problemsOf } from './compile.js';

const DEFAULTS = {
  hostName: 'test-host',
  stateDir: '/var/lib/vmpulse',
  runDir: '/run/vmpulse',
  socketPath: '/run/vmpulse/vmpulse.sock',
  manifests: ['/etc/vmpulse/vms.d'],
  logLevel: 'info',
  api: { access: { read: [], operate: [], admin: [] } },
  heartbeats: {},
  metrics: { seedNames: false },
  journal: { maxAgeMs: 2_592_000_000, maxBytes: 1_073_741_824 },
  readiness: {},
  engine: {
    backend: 'auto',
    maxInFlight: 4096,
    maxInFlightPerDestination: 64,
    maxPacketsPerSecond: 250_000,
    tickMs: 2,
    lateMs: 250,
    blindAfter: 3,
    threads: 1,
    reactor: 'auto',
  },
  probes: { periodMs: 10_000, timeoutMs: 1000, successThreshold: 1, failureThreshold: 3 },
  networks: [],
  hooks: { timeoutMs: 30_000, concurrency: 4, hooks: [] },
  notifications: { groupMs: 10_000, perHour: 60, channels: [] },
  recovery: DEFAULT_RECOVERY,
  recoveryOrigins: {},
  limits: {
    maxConcurrentRecoveries: 2,
    maxBootsPerMinute: 10,
    brakeRatio: 0.3,
    brakeMinVms: 3,
    brakeCooldownMs: 300_000,
    brakeEscalateAfterMs: 1_800_000,
    sharedCauseWindowMs: 30_000,
    sharedCauseMinVms: 3,
    maxEject: 0.5,
  },
};

describe('daemon configuration', () => {
  it.each([
    '',
    '# nothing\n',
    '---\n',
    '{}',
    'metrics:\nrecovery:\n',
  ])('takes every default from %j', (text) => {
    expect(daemonConfig(text)).toEqual(DEFAULTS);
  });

  it('observes only, unless it is told otherwise', () => {
    expect(daemonConfig('').recovery.enabled).toBe(false);
  });

  it('takes what is written', () => {
    const text = `
hostName: kvm-3
api: {socketGroup: vmpulse, access: {admin: ['@wheel'], operate: [ann]}}
stateDir: /srv/state
runDir: /tmp/run
manifests: [a.yaml, ../b, /c]
logLevel: debug
heartbeats: {listen: '192.0.2.1:9811'}
metrics: {listen: '[::1]:9810', seedNames: true, push: {endpoint: 'https://mon.example/api/v1/push', every: 1m, tokenFile: /etc/vmpulse/token}}
journal: {maxAge: 7d, maxSize: 512Mi}
readiness: {agentCheck: '127.0.0.1:9811'}
engine: {backend: portable, maxInFlight: 10, maxInFlightPerDestination: 5, maxPacketsPerSecond: 1000, tickMs: 10, lateMs: 500, blindAfter: 5, threads: 2, reactor: epoll}
probes: {period: 30s, timeout: 5s, successThreshold: 2, failureThreshold: 4, retryDelay: 3s}
networks: [{bridge: vmbr0, address: 10.77.0.1/24, nat: true, uplink: eth0}, {bridge: vmbr1}]
notifications:
  group: 1m
  perHour: 10
  smtp: {host: mail.example.com, security: tls, from: a@example.com, user: u, passwordEnv: P, caFile: /ca}
  channels:
    - {name: ops, level: all, email: {to: [o@example.com]}}
    - {name: chat, slack: {urlFile: /url}}
    - {name: hook, vms: ['a/*'], webhook: {url: 'http://127.0.0.1:8080/x', tokenFile: /token}}
    - {name: pager, level: critical, exec: {argv: [/bin/page], user: nobody}}
report: {url: 'https://control.example.com/x', tokenEnv: T, interval: 1m}
hooks: {timeout: 10s, concurrency: 2, global: [{event: pre-start, file: /x, user: nobody}, {event: on-failure, command: 'logger x', shell: true, timeout: 1s}]}
recovery: {enabled: true, grace: 1m, backoff: {jitter: 0}, gracefulStop: 1m}
limits: {concurrentRecoveries: 1, bootsPerMinute: 4, brakeRatio: 0.5, brakeFrom: 4, brakeCooldown: 1m, brakeEscalateAfter: 1h, sharedCauseWindow: 1m, sharedCauseFrom: 5, maxEject: 0.1}
`;
    expect(daemonConfig(text)).toEqual({
      hostName: 'kvm-3',
      api: { socketGroup: 'vmpulse', access: { read: [], operate: ['ann'], admin: ['@wheel'] } },
      stateDir: '/srv/state',
      runDir: '/tmp/run',
      socketPath: '/tmp/run/vmpulse.sock',
      manifests: ['/etc/vmpulse/a.yaml', '/etc/b', '/c'],
      logLevel: 'debug',
      heartbeats: { listen: { host: '192.0.2.1', port: 9811 } },
      metrics: {
        listen: { host: '::1', port: 9810 },
        seedNames: true,
        push: {
          endpoint: 'https://mon.example/api/v1/push',
          everyMs: 60_000,
          tokenFile: '/etc/vmpulse/token',
        },
      },
      journal: { maxAgeMs: 604_800_000, maxBytes: 536_870_912 },
      readiness: { agentCheck: { host: '127.0.0.1', port: 9811 } },
      engine: {
        backend: 'portable',
        maxInFlight: 10,
        maxInFlightPerDestination: 5,
        maxPacketsPerSecond: 1000,
        tickMs: 10,
        lateMs: 500,
        blindAfter: 5,
        threads: 2,
        reactor: 'epoll',
      },
      probes: {
        periodMs: 30_000,
        timeoutMs: 5000,
        successThreshold: 2,
        failureThreshold: 4,
        retryDelayMs: 3000,
      },
      networks: [
        { bridge: 'vmbr0', address: '10.77.0.1/24', nat: true, uplink: 'eth0' },
        { bridge: 'vmbr1', nat: false },
      ],
      notifications: {
        groupMs: 60_000,
        perHour: 10,
        smtp: {
          host: 'mail.example.com',
          port: 465,
          security: 'tls',
          from: 'a@example.com',
          login: { user: 'u', password: { env: 'P' } },
          caFile: '/ca',
        },
        channels: [
          { name: 'ops', level: 'all', vms: [], way: { kind: 'email', to: ['o@example.com'] } },
          { name: 'chat', level: 'warnings', vms: [], way: { kind: 'slack', url: { file: '/url' } } },
          {
            name: 'hook',
            level: 'warnings',
            vms: ['a/*'],
            way: { kind: 'webhook', url: 'http://127.0.0.1:8080/x', token: { file: '/token' } },
          },
          {
            name: 'pager',
            level: 'critical',
            vms: [],
            way: { kind: 'exec', argv: ['/bin/page'], user: 'nobody' },
          },
        ],
      },
      report: { url: 'https://control.example.com/x', token: { env: 'T' }, intervalMs: 60_000 },
      hooks: {
        timeoutMs: 10_000,
        concurrency: 2,
        hooks: [
          { event: 'pre-start', run: { file: '/x' }, user: 'nobody' },
          { event: 'on-failure', run: { shell: 'logger x' }, timeoutMs: 1000 },
        ],
      },
      recovery: {
        ...DEFAULT_RECOVERY,
        enabled: true,
        graceMs: 60_000,
        backoff: { ...DEFAULT_RECOVERY.backoff, jitter: 0 },
        gracefulStopMs: 60_000,
        stepTimeoutMs: 90_000,
      },
      recoveryOrigins: Object.fromEntries(
        ['enabled', 'graceMs', 'backoff.jitter', 'stepTimeoutMs', 'gracefulStopMs'].map((path) => [
          path,
          'host configuration (/etc/vmpulse/config.yaml)',
        ]),
      ),
      limits: {
        maxConcurrentRecoveries: 1,
        maxBootsPerMinute: 4,
        brakeRatio: 0.5,
        brakeMinVms: 4,
        brakeCooldownMs: 60_000,
        brakeEscalateAfterMs: 3_600_000,
        sharedCauseWindowMs: 60_000,
        sharedCauseMinVms: 5,
        maxEject: 0.1,
      },
    });
  });

  it('lends its recovery to VMs, which may change each part', () => {
    const config = daemonConfig('recovery: {enabled: true, grace: 1m, breaker: {failures: 9}}');
    const spec = 'hypervisor: {qemu: {memory: 1Gi}}, recovery: {grace: 2m, breaker: {hold: 1m}}';
    const { vms } = compileVms([{ path: 'a.yaml', text: pair({ spec }) }], config, FACTS);
    expect(vms[0]?.recovery).toEqual({
      ...DEFAULT_RECOVERY,
      enabled: true,
      graceMs: 120_000,
      breaker: { failures: 9, holdMs: 60_000 },
    });
  });

  it('keeps the port of the metrics from VMs', () => {
    const config = daemonConfig('metrics: {listen: 127.0.0.1:9810}');
    const spec =
      'hypervisor: {qemu: {memory: 1Gi, interfaces: [{user: {forwards: [{hostPort: 9810, guestPort: 80}]}}]}}';
    expect(problemsOf(() => compileVms([{ path: 'a.yaml', text: pair({ spec }) }], config, FACTS))).toContain(
      "claims the port 9810, which the daemon's metrics.listen has",
    );
  });
});
