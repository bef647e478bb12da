import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { daemonSchema } from '../../src/config/daemon-schema.js';
import { isLive } from '../../src/config/diff-config.js';
import { FIXED_DAEMON_OPTIONS } from '../../src/config/overrides/override-daemon.js';
import { namedProbeSchema } from '../../src/config/probe-schema.js';
import { recoveryPolicySchema } from '../../src/config/recovery-policy.js';
import { GUEST_COMMANDS } from '../../src/config/recovery-schema.js';
import { type FieldShape, shapeOf } from '../../src/config/schema-shape.js';
import { virtualMachineHostSchema } from '../../src/config/virtual-machine-host.js';
import { compileOne, daemonConfig } from './compile.js';

interface Option {
  readonly path: string;
  readonly unit: string;
  readonly shape: FieldShape;
}

interface Row extends Pick<Option, 'path' | 'unit'> {
  /** The default as it would be written, where the table has it as `code`. */
  readonly default: string | undefined;
  /** By the names of the columns. */
  readonly cells: ReadonlyMap<string, string>;
}

function unitOf(shape: FieldShape): string {
  if (shape.choices !== undefined) return shape.choices.map((choice) => `\`${choice}\``).join(', ');
  return shape.unit ?? (shape.type === 'object' ? 'mapping' : 'not supported');
}

/** Every option of a schema; entries of a list have `[]` in their path. `withLists`: lists of mappings, too. */
function optionsOf(shape: FieldShape, path = '', withLists = false): readonly Option[] {
  const { properties, each } = shape;
  if (shape.unit === undefined && properties !== undefined && properties.size > 0) {
    return [...properties].flatMap(([key, below]) =>
      optionsOf(below, path === '' ? key : `${path}.${key}`, withLists),
    );
  }
  if (shape.unit === undefined && shape.type === 'array' && each !== undefined) {
    const list = { path, unit: 'list', shape };
    return [...(withLists ? [list] : []), ...optionsOf(each, `${path}[]`, withLists)];
  }
  return [{ path, unit: unitOf(shape), shape }];
}

/** The rows of a page's tables of options. */
function rowsOf(page: string): readonly Row[] {
  const text = readFileSync(new URL(`../../docs/reference/${page}`, import.meta.url), 'utf8');
  return text
    .split(/\n\n/)
    .filter((part) => /^\| (Option|Field) \| Unit \| Default \|/.test(part))
    .flatMap((table) => {
      const [head = '', , ...lines] = table.trimEnd().split('\n');
      return lines.map((line) => rowOf(cellsOf(head), cellsOf(line)));
    });
}

function cellsOf(line: string): readonly string[] {
  return line.replace(/^\| /, '').replace(/ ?\|$/, '').split(' | ');
}

function rowOf(head: readonly string[], cells: readonly string[]): Row {
  const [path = '', unit = '', written = ''] = cells;
  return {
    path: /^`([^`]+)`$/.exec(path)?.[1] ?? path,
    unit,
    default: /^`([^`]+)`$/.exec(written)?.[1],
    cells: new Map(head.map((name, index) => [name, cells[index] ?? ''])),
  };
}

function sorted(options: readonly Pick<Option, 'path' | 'unit'>[]): readonly string[] {
  return options.map(({ path, unit }) => `${path}: ${unit}`).sort();
}

/** A document with one more value in it; `[]` is the first entry. */
function withValue(document: unknown, path: string, value: string): string {
  const root: unknown = structuredClone(document);
  const steps = path.replaceAll('[]', '.0').split('.');
  const last = steps.pop() ?? '';
  let at = root;
  for (const step of steps) {
    if (typeof at !== 'object' || at === null) throw new Error(`${path} is not in the document`);
    if (!(step in at)) Object.assign(at, { [step]: {} });
    at = new Map<string, unknown>(Object.entries(at)).get(step);
  }
  if (typeof at !== 'object' || at === null) throw new Error(`${path} is not in the document`);
  Object.assign(at, { [last]: parse(value) });
  return stringify(root);
}

const withDefault = (rows: readonly Row[]) =>
  rows.flatMap(({ path, default: text }) => (text === undefined ? [] : [[path, text] as const]));

/** What a section or an option must have beside an option that may be left out. */
const NEEDED_BESIDE: Readonly<Record<string, object>> = {
  'api.listen.clients': {
    api: { listen: { address: '192.0.2.1:9443', certificate: '/etc/tls.pem', key: '/etc/tls.key' } },
  },
  'notifications.channels': {},
  hostWatchdog: { hostWatchdog: { device: '/dev/watchdog' } },
  metrics: { metrics: { push: { endpoint: 'http://prometheus:9090' } } },
  notifications: {
    notifications: {
      smtp: { host: 'mail.example.com', from: 'vmpulse@example.com' },
      channels: [{ name: 'ops', email: { to: ['ops@example.com'] } }],
    },
  },
  report: { report: { url: 'https://control.example.com/', tokenFile: '/etc/vmpulse/token' } },
};

/** What a value may be beside its unit, as the page says it. */
function boundsOf({ bounds, minimum, maximum, minItems = 0, maxItems }: FieldShape): string {
  if (bounds !== undefined) return bounds;
  if (maxItems !== undefined) return minItems > 0 ? `${minItems} to ${maxItems}` : `up to ${maxItems}`;
  return minimum === undefined || maximum === undefined ? '' : `${minimum} to ${maximum}`;
}

/** When a change holds, and whether `config set` may make it. */
function holdsOf(path: string): string {
  const how = isLive(path) ? 'reload' : 'restart';
  return FIXED_DAEMON_OPTIONS.includes(path) ? `${how}, file only` : how;
}

describe('docs/reference/configuration.md', () => {
  const rows = rowsOf('configuration.md');
  const options = optionsOf(shapeOf(daemonSchema), '', true);

  it('has the bounds of each option, and when a change of it holds', () => {
    const bySchema = options.map(({ path, shape }) => [path, [boundsOf(shape), holdsOf(path)]] as const);
    const byPage = rows.map(
      ({ path, cells }) =>
        [path, [cells.get('Bounds') ?? 'no column', cells.get('Holds after') ?? '']] as const,
    );
    expect(Object.fromEntries(byPage)).toEqual(Object.fromEntries(bySchema));
    expect(new Set(bySchema.map(([, [, holds]]) => holds)).size).toBe(4);
  });

  it('has each option with its unit, and no other', () => {
    expect(options.length).toBeGreaterThan(25);
    expect(sorted(rows)).toEqual(sorted(options));
  });

  it('says for which options there is no default', () => {
    expect(rows.filter((row) => row.default === undefined).map(({ path }) => path)).toEqual([
      'hostName',
      'api.socketGroup',
      'api.listen.address',
      'api.listen.certificate',
      'api.listen.key',
      'api.listen.clientCa',
      'api.listen.clients[].commonName',
      'api.listen.clients[].scope',
      'heartbeats.listen',
      'metrics.listen',
      'metrics.push.endpoint',
      'metrics.push.tokenFile',
      'readiness.agentCheck',
      'networks[].bridge',
      'networks[].address',
      'networks[].nat',
      'networks[].uplink',
      'hostWatchdog.device',
      'hostWatchdog.pretimeout',
      'probes.retryDelay',
      'hooks.global[].event',
      'hooks.global[].file',
      'hooks.global[].argv',
      'hooks.global[].command',
      'hooks.global[].shell',
      'hooks.global[].user',
      'hooks.global[].timeout',
      'notifications.smtp.host',
      'notifications.smtp.port',
      'notifications.smtp.from',
      'notifications.smtp.user',
      'notifications.smtp.passwordFile',
      'notifications.smtp.passwordEnv',
      'notifications.smtp.caFile',
      'notifications.channels[].name',
      'notifications.channels[].email.to',
      'notifications.channels[].slack.urlFile',
      'notifications.channels[].slack.urlEnv',
      'notifications.channels[].slack.caFile',
      'notifications.channels[].webhook.url',
      'notifications.channels[].webhook.tokenFile',
      'notifications.channels[].webhook.tokenEnv',
      'notifications.channels[].webhook.caFile',
      'notifications.channels[].exec.argv',
      'notifications.channels[].exec.user',
      'report.url',
      'report.tokenFile',
      'report.tokenEnv',
      'report.caFile',
    ]);
  });

  it.each(withDefault(rows))('the default of %s is %s', (path, text) => {
    const [section = ''] = path.split('.');
    const base = NEEDED_BESIDE[path] ?? NEEDED_BESIDE[section] ?? {};
    const { recoveryOrigins: _, ...config } = daemonConfig(withValue(base, path, text));
    expect({ ...config, recoveryOrigins: {} }).toEqual(daemonConfig(stringify(base)));
  });
});

const MANIFEST = `{apiVersion: kubevirt.io/v1, kind: VirtualMachine, metadata: {name: web-1}, spec: {running: true, template: {spec: {}}}}`;

function host(spec: object): object {
  return { apiVersion: 'vmpulse.dev/v1', kind: 'VirtualMachineHost', metadata: { name: 'web-1' }, spec };
}

/** Commands in the guest are those of one VM. */
function ofVmOnly(path: string): boolean {
  return GUEST_COMMANDS.some((name) => path === `recovery.${name}`);
}

describe('docs/reference/manifests.md', () => {
  const rows = rowsOf('manifests.md');
  const elsewhere = (path: string) =>
    /^spec\.(startupProbe|livenessProbe|readinessProbe|probes\[\])\./.test(path) ||
    (path.startsWith('spec.recovery.') && !ofVmOnly(path.slice('spec.'.length)));
  const options = optionsOf(shapeOf(virtualMachineHostSchema)).filter(({ path }) => !elsewhere(path));

  it('has each field of the host document with its unit, and no other', () => {
    expect(options.length).toBeGreaterThan(30);
    expect(sorted(rows)).toEqual(sorted(options));
  });

  const built = {
    memory: '1Gi',
    kernel: { image: '/boot/vmlinuz' },
    disks: [{ path: '/a.img', format: 'raw' }],
  };
  const qemu = {
    ...built,
    interfaces: [{ user: { forwards: [{ hostPort: 8080, guestPort: 80 }] } }],
    watchdog: {},
  };

  it.each(withDefault(rows))('the default of %s is %s', (path, text) => {
    const [, other] = /^spec\.hypervisor\.(cloudHypervisor|firecracker|libvirt)\./.exec(path) ?? [];
    const mapping = other === 'libvirt' ? { ...built, watchdog: {} } : built;
    const hypervisor = other === undefined ? { qemu } : { [other]: mapping };
    const monitoring = path === 'spec.monitoring.level' ? {} : { level: 'advanced' };
    const isMonitored = path.startsWith('spec.monitoring.');
    const base = host({ hypervisor, ...(isMonitored ? { address: '192.0.2.1', monitoring } : {}) });
    expect(compileOne(MANIFEST, withValue(base, path, text))).toEqual(compileOne(MANIFEST, stringify(base)));
  });

  it('says that recovery has the fields of the configuration', () => {
    const prefix = 'spec.recovery.';
    const ofVm = optionsOf(shapeOf(virtualMachineHostSchema)).filter(({ path }) => path.startsWith(prefix));
    const ofHost = optionsOf(shapeOf(daemonSchema)).filter(({ path }) => path.startsWith('recovery.'));
    expect(ofVm.map(({ path }) => path.slice('spec.'.length)).filter((path) => !ofVmOnly(path))).toEqual(
      ofHost.map(({ path }) => path),
    );
  });
});

describe('docs/reference/recovery-policies.md', () => {
  const rows = rowsOf('recovery-policies.md');
  const options = optionsOf(shapeOf(recoveryPolicySchema));

  it('has each field of a policy with its unit, but for those of recovery', () => {
    const own = options.filter(({ path }) => !path.startsWith('spec.recovery.'));
    expect(own.length).toBeGreaterThan(5);
    expect(sorted(rows)).toEqual(sorted(own));
  });

  it('says that recovery has the fields of the host document', () => {
    const recoveryOf = (all: readonly Option[]) =>
      all.filter(({ path }) => path.startsWith('spec.recovery.'));
    expect(recoveryOf(options)).toEqual(recoveryOf(optionsOf(shapeOf(virtualMachineHostSchema))));
  });
});

describe('docs/reference/probes.md', () => {
  const rows = rowsOf('probes.md');
  const options = optionsOf(shapeOf(namedProbeSchema));

  it('has each field of a probe with its unit, and no other', () => {
    expect(options.length).toBeGreaterThan(30);
    expect(sorted(rows)).toEqual(sorted(options));
  });

  // What a default cannot be told from in the compiled VM: the engine fills these in.
  const byEngine = new Set([
    'tcpSocket.close',
    'httpGet.method',
    'httpGet.keepAlive',
    'httpGet.verify',
    'httpGet.expect.status',
    'tcpExchange.maxBytes',
  ]);

  // What a check of the kind must have.
  const needed: Readonly<Record<string, object>> = {
    tcpSocket: { port: 80 },
    tcpHalfOpen: { port: 80 },
    icmp: {},
    httpGet: { port: 80 },
    tcpExchange: { port: 80, steps: [{ expect: 'x' }] },
    grpc: { port: 80 },
    vsock: { cid: 3, port: 80 },
    command: { argv: ['/bin/true'] },
    ssh: {},
    vcpuProgress: {},
    console: { seen: 'x' },
    exec: { command: ['true'] },
    resource: {},
  };

  it.each(
    withDefault(rows).filter(([path]) => !byEngine.has(path)),
  )('the default of %s is %s', (path, text) => {
    const kind = path.split('.')[0] ?? '';
    const check = { [kind in needed ? kind : 'httpGet']: needed[kind] ?? needed.httpGet };
    const base = host({
      address: '192.0.2.1',
      hypervisor: { qemu: { memory: '1Gi' } },
      probes: [{ name: 'web', ...check }],
    });
    expect(compileOne(MANIFEST, withValue(base, `spec.probes[].${path}`, text))).toEqual(
      compileOne(MANIFEST, stringify(base)),
    );
  });

  it('leaves no default unchecked without need', () => {
    const documented = new Map(withDefault(rows));
    for (const path of byEngine) expect(documented.has(path), path).toBe(true);
  });
});
