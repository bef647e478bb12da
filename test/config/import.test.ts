import { describe, expect, it } from 'vitest';
import { compileVms } from '../../src/config/compile-config.js';
import { IMPORTERS } from '../../src/config/index.js';
import { daemonConfig, FACTS, fixture, pair } from './compile.js';

function imported(from: string, path: string, text = fixture(`import/${path}`), vm = 'myvm') {
  const importer = IMPORTERS[from];
  if (importer === undefined) throw new Error(`no importer ${from}`);
  return importer({ path, text }, { vm });
}

const notTaken = (result: ReturnType<typeof imported>) =>
  result.notTaken.map(
    ({ place, path, why }) => `${place.file}:${place.line}:${place.column} ${path}: ${why}`,
  );

describe("Blixard's configuration", () => {
  it('becomes one of the daemon, which loads and only observes', () => {
    const { files, commands } = imported('blixard', 'config.toml');
    expect(files.map(({ path }) => path)).toEqual(['config.yaml']);
    const config = daemonConfig(files[0]?.text ?? '');
    expect(config).toMatchObject({
      probes: { periodMs: 30_000, timeoutMs: 10_000 },
      engine: { maxInFlight: 50 },
      recovery: { enabled: false, breaker: { failures: 5, holdMs: 300_000 } },
    });
    expect(commands.map(([command]) => command)).toEqual([
      "vmpulse vm update '*' --health-check-type http --health-check-port 8080 --health-check-path /health --health-check-success-threshold 2 --yes",
      'vmpulse config set recovery.enabled true',
    ]);
  });

  it('has what has no counterpart told, with its place', () => {
    expect(notTaken(imported('blixard', 'config.toml'))).toEqual([
      'config.toml:3:1 health_monitor.enabled: is what vmpulse does anyway; nothing is to be done',
      expect.stringMatching(/^config\.toml:19:1 storage\.pool: has no counterpart/),
    ]);
  });

  it.each([
    [
      'a slip',
      '[health_monitor]\ninterval = 30s\n',
      /^x\.toml:2:\d+: is not valid TOML: .*; correct the syntax here$/,
    ],
    [
      'tables without a bottom',
      `[${Array(200).fill('a').join('.')}]\nb = 1\n`,
      /^x\.toml:1:1: has tables nested deeper than 16/,
    ],
    [
      'lists without a bottom',
      `a = ${'['.repeat(5000)}${']'.repeat(5000)}\n`,
      /^x\.toml:\d+:\d+: is not valid TOML/,
    ],
    ['a file without an end', `a = "${'x'.repeat(1_100_000)}"`, /^x\.toml:1:1: has \d+ bytes/],
  ])('is refused for %s', (_, text, message) => {
    expect(() => imported('blixard', 'x.toml', text)).toThrow(
      expect.objectContaining({ code: 'ERR_VMPULSE_CONFIG', message: expect.stringMatching(message) }),
    );
  });

  it('does not reach into the prototype', () => {
    const result = imported(
      'blixard',
      'x.toml',
      '[__proto__]\npolluted = 1\n[constructor.prototype]\npolluted = 1\n',
    );
    expect(result.files).toEqual([]);
    expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false);
  });
});

describe("azlin's file of a VM", () => {
  it('becomes a recovery policy for that VM, which loads and switches nothing on', () => {
    const { files, commands } = imported('azlin', 'myvm.yaml');
    const documents = [pair({ name: 'myvm' }), ...files.map(({ text }) => text)];
    const { vms, warnings } = compileVms(
      documents.map((text, index) => ({ path: `${index}.yaml`, text })),
      daemonConfig(''),
      FACTS,
    );
    expect(warnings).toEqual([]);
    expect(vms[0]?.recovery).toMatchObject({
      enabled: false,
      maxConsecutive: 3,
      graceMs: 120_000,
      backoff: { baseMs: 30_000 },
      cleanup: ['journalctl', '--vacuum-size=200M'],
      skip: ['reset-network'],
      actionWindows: [{ days: [], fromMinute: 120, toMinute: 240 }],
    });
    expect(commands.map(([command]) => command)).toEqual([
      'vmpulse autopilot config myvm --from-file myvm.yaml',
      'vmpulse autopilot enable myvm --self-healing',
    ]);
  });

  it('has what has no counterpart told, with its place', () => {
    expect(notTaken(imported('azlin', 'myvm.yaml'))).toEqual([
      expect.stringMatching(
        /^myvm\.yaml:33:5 notifications\.email: is a channel of the daemon; add it with vmpulse notify add/,
      ),
      expect.stringMatching(/^myvm\.yaml:34:10 notifications\.slack: /),
      expect.stringMatching(/^myvm\.yaml:35:10 notifications\.level: /),
      expect.stringMatching(/^myvm\.yaml:38:14 hooks\.pre_start: is a hook; add it/),
    ]);
  });

  it.each([
    ['half a window', 'maintenance: {window_start: "02:00"}', /is half a window/],
    ['a time in fractions', 'health_monitoring: {interval: 1.5m}', /is no time in whole seconds/],
    ['a schedule of nothing', 'maintenance: {schedule: "0 2 * * *"}', /says when, and not what/],
    ['a name of the prototype', 'constructor: 1', /has no counterpart/],
  ])('has %s told', (_, text, why) => {
    expect(notTaken(imported('azlin', 'x.yaml', `${text}\n`)).join()).toMatch(why);
  });

  it('is refused where it is no YAML', () => {
    expect(() => imported('azlin', 'x.yaml', '{')).toThrow(/^x\.yaml:1:\d+: is not valid YAML/);
  });
});

describe('manifests of KubeVirt', () => {
  it('become pairs of documents, which load', () => {
    const { files, taken } = imported('kubevirt', 'vms.yaml');
    expect(files.map(({ path }) => path)).toEqual(['example-namespace_fedora-vm.yaml', 'default_db.yaml']);
    expect(taken).toEqual(['VirtualMachine example-namespace/fedora-vm', 'VirtualMachine default/db']);
    const { vms } = compileVms(files, daemonConfig(''), FACTS);
    expect(vms).toMatchObject([
      {
        id: 'default/db',
        runStrategy: 'Halted',
        recovery: { enabled: false },
        hypervisor: {
          memoryMiB: 1024,
          disks: [{ path: '/srv/db.img', format: 'raw' }],
          watchdog: { action: 'poweroff' },
        },
        probes: [{ role: 'liveness', check: { kind: 'tcpSocket', host: '127.0.0.1', port: 20_081 } }, {}, {}],
      },
      {
        id: 'example-namespace/fedora-vm',
        runStrategy: 'Always',
        cloudInit: { userData: '#cloud-config\n' },
        probes: [
          {
            role: 'readiness',
            check: { http: { port: 20_080, path: '/healthz' } },
            timing: { periodMs: 20_000, successThreshold: 3 },
          },
          {},
          {},
        ],
      },
    ]);
  });

  it('have what stays in the cluster told, and the command that switches recovery on', () => {
    const result = imported('kubevirt', 'vms.yaml');
    const text = notTaken(result).join('\n');
    expect(text).toMatch(/vms\.yaml:22:9 spec\.template\.spec\.volumes\.0: containerDisk lies in a cluster/);
    expect(text).toMatch(/vms\.yaml:27:1 Service: is no VirtualMachine/);
    expect(text).toMatch(/port 1500 of the guest is reached by port 20080 of this host/);
    expect(text).toMatch(/says no memory; 1Gi was written/);
    expect(text).toMatch(/fields of KubeVirt that vmpulse does not use: .*volumes/);
    expect(result.commands.map(([command]) => command)).toEqual([
      'vmpulse config set --vm example-namespace/fedora-vm recovery.enabled true',
      'vmpulse config set --vm default/db recovery.enabled true',
    ]);
  });

  it('are refused for what is wrong with them, with the place in the file that was given', () => {
    const text =
      '{apiVersion: kubevirt.io/v1, kind: VirtualMachine, metadata: {name: ../../etc}, spec: {template: {spec: {domain: {}}}}}\n';
    expect(() => imported('kubevirt', 'x.yaml', text)).toThrow(
      /^x\.yaml:1:\d+ metadata\.name: is not a name/,
    );
  });
});
