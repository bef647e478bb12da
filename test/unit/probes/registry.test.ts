import { describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/model/clock.js';
import { isVmpulseError } from '../../../src/model/errors.js';
import { DEFAULT_TIMING, type ProbeCheck } from '../../../src/model/probe.js';
import { type ProbeFlags, withFlags } from '../../../src/probes/flags.js';
import { NamedHostProbe } from '../../../src/probes/named-host.js';
import { prepareCheck } from '../../../src/probes/prepare-check.js';
import { findKind, KIND_ENTRIES, PROBE_KINDS, parseProbeTarget } from '../../../src/probes/registry.js';

function messageOf(
  run: () => unknown,
  code: 'ERR_VMPULSE_USAGE' | 'ERR_VMPULSE_ARGUMENT' | 'ERR_VMPULSE_INTERNAL',
): string {
  try {
    run();
  } catch (error) {
    if (isVmpulseError(error, code)) return error.message;
    throw error;
  }
  throw new Error('nothing was thrown');
}

const usage = (run: () => unknown) => messageOf(run, 'ERR_VMPULSE_USAGE');

const CHECKS: readonly Exclude<ProbeCheck, { kind: 'custom' }>[] = [
  { kind: 'tcpSocket', port: 22 },
  { kind: 'tcpHalfOpen', port: 22 },
  { kind: 'icmp', count: 3, payloadBytes: 56, maxLossPercent: 20 },
  { kind: 'arp', interface: 'br0', mac: '52:54:00:12:34:56' },
  { kind: 'ndp', host: '2001:db8::10' },
  { kind: 'httpGet', http: { scheme: 'http', port: 80, path: '/', headers: [] } },
  { kind: 'tcpExchange', exchange: { port: 25, steps: [{ expect: '323230' }] } },
  { kind: 'grpc', grpc: { port: 50_051, service: 'acme.Shop', tls: {} } },
  {
    kind: 'vsock',
    vsock: { cid: 3, port: 1024, exchange: { steps: [], tls: { verify: true, caFile: '/ca.pem' } } },
  },
  { kind: 'guestAgentPing' },
  { kind: 'vmState' },
  { kind: 'vmmProcess' },
  { kind: 'vcpuProgress', stalledAfterMs: 20_000 },
  { kind: 'tapLink', device: 'tap0', bridge: 'vmbr0' },
  { kind: 'ssh', ssh: { host: '192.0.2.1', port: 22, level: 'banner' } },
  { kind: 'command', command: { argv: ['/bin/true', 'a b'], env: [] } },
  { kind: 'console', console: { notSeen: 'panic' } },
  { kind: 'heartbeat' },
  { kind: 'exec', exec: { command: ['test', '-e', '/run/ok'], exitCodes: [0] } },
  PROBE_KINDS.resource.parseTarget('/run/vm.qga', 'resource').check,
];

/** Kinds that run outside the engine. */
const EXTERNAL: ReadonlySet<string> = new Set([
  'vcpuProgress',
  'tapLink',
  'ssh',
  'command',
  'console',
  'heartbeat',
  'exec',
  'resource',
]);

describe('registry', () => {
  it('has every kind under its own name, and no name twice', () => {
    expect(CHECKS.map(({ kind }) => kind)).toEqual(Object.keys(PROBE_KINDS));
    for (const [name, entry] of Object.entries(PROBE_KINDS)) expect(entry.kind).toBe(name);
    const names = KIND_ENTRIES.flatMap(({ kind, aliases }) => [kind, ...aliases]);
    expect(new Set(names).size).toBe(names.length);
  });

  it.each([
    ['tcp', 'tcpSocket'],
    ['syn', 'tcpHalfOpen'],
    ['ping', 'icmp'],
    ['arping', 'arp'],
    ['ndisc', 'ndp'],
    ['http', 'httpGet'],
    ['https', 'httpGet'],
    ['exchange', 'tcpExchange'],
    ['grpc-health', 'grpc'],
    ['hybrid-vsock', 'vsock'],
    ['qga', 'guestAgentPing'],
    ['qmp', 'vmState'],
    ['process', 'vmmProcess'],
    ['cmd', 'command'],
    ['serial', 'console'],
    ['httpGet', 'httpGet'],
  ])('knows %s as %s', (name, kind) => {
    expect(findKind(name).kind).toBe(kind);
  });

  it('names the kinds when it knows none of that name', () => {
    const message = usage(() => findKind('pong'));
    expect(message).toContain(
      'there is no probe kind "pong"; choose one of tcpSocket (tcp), tcpHalfOpen (syn), icmp (ping), arp (arping), ndp (ndisc), httpGet (http, https), ',
    );
    for (const { kind } of KIND_ENTRIES) expect(message).toContain(kind);
  });

  it('refuses a check of another kind', () => {
    const message = messageOf(
      () => PROBE_KINDS.tcpSocket.lower({ kind: 'vmState' }, {}),
      'ERR_VMPULSE_INTERNAL',
    );
    expect(message).toContain('vmState');
  });
});

describe('targets of the command line', () => {
  it.each([
    ['tcp', '192.0.2.10:22', { check: { kind: 'tcpSocket', host: '192.0.2.10', port: 22 } }],
    ['tcp', '[2001:db8::1]:22', { check: { kind: 'tcpSocket', host: '2001:db8::1', port: 22 } }],
    ['tcp', 'web.example:443', { check: { kind: 'tcpSocket', host: 'web.example', port: 443 } }],
    [
      'qga',
      '/run/vm.qga',
      { check: { kind: 'guestAgentPing' }, channel: { protocol: 'qga', path: '/run/vm.qga' } },
    ],
    [
      'vmState',
      '/run/vm.qmp',
      { check: { kind: 'vmState' }, channel: { protocol: 'qmp', path: '/run/vm.qmp' } },
    ],
    [
      'vmstate',
      'ch:/run/ch.sock',
      { check: { kind: 'vmState' }, channel: { protocol: 'cloud-hypervisor', path: '/run/ch.sock' } },
    ],
    [
      'vmState',
      'fc:/run/fc.sock',
      { check: { kind: 'vmState' }, channel: { protocol: 'firecracker', path: '/run/fc.sock' } },
    ],
    ['vsock', '3:1024', { check: { kind: 'vsock', vsock: { cid: 3, port: 1024 } } }],
    ['vsock', '/run/a.vsock:52', { check: { kind: 'vsock', vsock: { socket: '/run/a.vsock', port: 52 } } }],
    ['tap', 'tap0', { check: { kind: 'tapLink', device: 'tap0' } }],
    ['tapLink', 'tap0@vmbr0', { check: { kind: 'tapLink', device: 'tap0', bridge: 'vmbr0' } }],
    ['process', '4711', { check: { kind: 'vmmProcess' }, process: { pid: 4711 } }],
    [
      'console',
      '/run/vm.log Kernel panic',
      { check: { kind: 'console', console: { file: '/run/vm.log', notSeen: 'Kernel panic' } } },
    ],
    [
      'command',
      '/bin/test  -e /x',
      { check: { kind: 'command', command: { argv: ['/bin/test', '-e', '/x'], env: [] } } },
    ],
    [
      'cmd',
      '["/bin/echo","a b"]',
      { check: { kind: 'command', command: { argv: ['/bin/echo', 'a b'], env: [] } } },
    ],
    ['process', '/run/vm.pid', { check: { kind: 'vmmProcess' }, process: { pidFile: '/run/vm.pid' } }],
  ])('%s %s', (name, text, expected) => {
    expect(parseProbeTarget(name, text)).toEqual(expected);
  });

  it.each([
    ['http', 'http://192.0.2.10/', { scheme: 'http', host: '192.0.2.10', port: 80, path: '/' }],
    [
      'http',
      'https://web.example/x?y=1',
      { scheme: 'https', host: 'web.example', port: 443, path: '/x?y=1' },
    ],
    ['http', '127.0.0.1:8080/healthz', { scheme: 'http', host: '127.0.0.1', port: 8080, path: '/healthz' }],
    ['https', 'web.example:8443', { scheme: 'https', host: 'web.example', port: 8443, path: '/' }],
    ['httpGet', 'http://[::1]:8080/a', { scheme: 'http', host: '::1', port: 8080, path: '/a' }],
    [
      'http',
      'unix:/run/app.sock:/healthz',
      { scheme: 'http', unixSocket: '/run/app.sock', port: 80, path: '/healthz' },
    ],
    ['http', 'unix:/run/app.sock', { scheme: 'http', unixSocket: '/run/app.sock', port: 80, path: '/' }],
  ])('%s %s', (name, text, http) => {
    expect(parseProbeTarget(name, text)).toEqual({
      check: { kind: 'httpGet', http: { ...http, headers: [] } },
    });
  });

  it.each([
    ['tcp', 'web.example', 'has no port;'],
    ['tcp', '::1:22', 'has more than one colon (an IPv6 address stands in brackets)'],
    ['tcp', '192.0.2.10:0', 'has no port between 1 and 65535'],
    ['tcp', '192.0.2.10:65536', 'has no port between 1 and 65535'],
    ['tcp', '[192.0.2]:22', 'has a host that is not an IP address ("192.0.2")'],
    ['tcp', '300.1.1.1:22', 'has a host that is not an IP address ("300.1.1.1")'],
    ['tcp', '[fe80::1%eth0]:22', 'has a host that has a zone'],
    ['tcp', 'a b:22', 'has a host that is not a host ("a b")'],
    ['http', 'ftp://web.example/', 'has the scheme ftp'],
    ['http', 'http://', 'is not a URL'],
    ['http', 'http://user:pw@web.example/', "--header 'Authorization: …'"],
    ['http', 'unix:app.sock', 'is not an absolute path ("app.sock")'],
    ['http', 'unix:/run/app.sock:healthz', 'has a path that does not begin with /'],
    ['qga', 'vm.qga', 'is not an absolute path ("vm.qga")'],
    ['qmp', `/${'x'.repeat(107)}`, 'is 108 bytes long'],
    ['vmstate', 'fc:fc.sock', 'is not an absolute path'],
    ['vsock', '3', 'has no vsock port'],
    ['vsock', '3:0', 'has no vsock port'],
    ['vsock', '0:3', 'has no CID'],
    ['vsock', '4294967295:3', 'has no CID'],
    ['vsock', 'a.vsock:3', 'is not an absolute path'],
    ['process', '0', 'is not a PID of Linux'],
    ['process', 'vm.pid', 'is neither'],
    ['ssh', '192.0.2.1', 'has no port;'],
    ['tap', 'a/b', 'is not a network device ("a/b")'],
    ['tap', 'tap0@', 'is not a network device ("")'],
    ['tap', 'tap0@a@b', 'names more than one bridge'],
    ['console', '/run/vm.log', 'has no pattern'],
    ['console', 'vm.log panic', 'is not an absolute path ("vm.log")'],
    ['console', '/run/vm.log (', 'is not a regular expression of RE2'],
    ['command', 'true', 'has an argument that is not an absolute path ("true")'],
    ['command', '["/bin/true", 1]', 'is no JSON list of texts'],
    ['command', '["/bin/true"', 'is no JSON list of texts'],
  ])('refuses %s %s', (name, text, problem) => {
    const message = usage(() => parseProbeTarget(name, text));
    expect(message).toContain(problem);
    expect(message).toContain('; give ');
  });

  it('are none for what cannot be asked for once', () => {
    expect(usage(() => parseProbeTarget('heartbeat', 'x'))).toContain('sent by the guest');
    expect(usage(() => parseProbeTarget('vcpuProgress', 'x'))).toContain('over time');
  });

  it('escapes what a terminal would obey', () => {
    expect(usage(() => parseProbeTarget('tcp', 'a\u001b[2J'))).toContain('a\\u001b[2J');
  });
});

describe('HTTP options of the command line', () => {
  const web = parseProbeTarget('http', 'https://web.example/');
  const http = (flags: ProbeFlags, target = web) => {
    const { check } = withFlags(target, flags);
    if (check.kind !== 'httpGet') throw new Error(check.kind);
    return check.http;
  };

  it('leave a target as it is when there are none', () => {
    expect(withFlags(web, {})).toBe(web);
    const ssh = parseProbeTarget('tcp', '192.0.2.1:22');
    expect(withFlags(ssh, { headers: [] })).toBe(ssh);
  });

  it('are laid over the target', () => {
    const flags = {
      headers: ['X-Probe: a: b', 'Accept:'],
      method: 'HEAD',
      host: 'shop.example',
      expectStatus: '200-299, 404',
      expectBody: '^ok',
      verify: true,
    };
    expect(http(flags)).toEqual({
      scheme: 'https',
      host: 'web.example',
      port: 443,
      path: '/',
      headers: [
        ['X-Probe', 'a: b'],
        ['Accept', ''],
        ['Host', 'shop.example'],
      ],
      method: 'HEAD',
      verify: true,
      expect: {
        status: [
          [200, 299],
          [404, 404],
        ],
        bodyRegex: '^ok',
      },
    });
  });

  it.each<[ProbeFlags, string]>([
    [{ headers: ['X-Probe'] }, 'is not a header'],
    [{ headers: [': x'] }, 'is not a header'],
    [{ headers: ['X Y: z'] }, 'is not a header'],
    [{ headers: ['X: a\nb'] }, 'is not a header'],
    [{ host: 'a.example', headers: ['host: b.example'] }, 'say the same'],
    [{ method: 'get' }, '--method get is not an HTTP method'],
    [{ method: 'CONNECT' }, 'opens a tunnel'],
    [{ expectStatus: '' }, 'is not a status'],
    [{ expectStatus: '2xx' }, 'is not a status'],
    [{ expectStatus: '399-200' }, 'is not a status'],
    [{ expectStatus: '200,' }, 'is not a status'],
    [{ expectBody: '(' }, '--expect-body ( is not a regular expression'],
    [{ expectBody: '(?=x)' }, 'look-around'],
  ])('%j is refused', (flags, problem) => {
    expect(usage(() => http(flags))).toContain(problem);
  });

  it('do not fit other kinds, nor --verify a target without TLS', () => {
    expect(usage(() => withFlags(parseProbeTarget('tcp', '192.0.2.1:22'), { method: 'GET' }))).toContain(
      'does not fit a tcpSocket probe',
    );
    expect(usage(() => http({ verify: true }, parseProbeTarget('http', 'http://web.example/')))).toContain(
      '--verify needs TLS',
    );
  });
});

describe('lowering', () => {
  const options = {
    address: '192.0.2.1',
    channels: { monitor: 7, agent: 8 },
    process: { pidfd: 9, pid: 10 },
    engine: { probeOnce: () => Promise.reject(new Error('nothing is probed')) },
    readFile: async (path: string) => `PEM of ${path}`,
    setting: {
      timing: DEFAULT_TIMING,
      consoleLog: '/run/console.log',
      guest: {
        exec: () => Promise.reject(new Error('no guest')),
        resources: () => Promise.reject(new Error('no guest')),
      },
      probe: 'web',
      clock: systemClock,
      runInPool: () => Promise.reject(new Error('no pool here')),
      runTogether: () => Promise.reject(new Error('no pool here')),
      resolveHost: () => Promise.reject(new Error('nothing is resolved')),
    },
  };

  it('gives each kind what the engine needs', async () => {
    const prepared = await Promise.all(CHECKS.map((check) => prepareCheck(check, options)));
    expect(prepared).toEqual([
      { check: { kind: 'tcpSocket', endpoint: { ip: '192.0.2.1', port: 22 }, close: 'rst' } },
      { check: { kind: 'tcpHalfOpen', endpoint: { ip: '192.0.2.1', port: 22 } } },
      {
        check: { kind: 'icmp', ip: '192.0.2.1', ping: { count: 3, payloadBytes: 56, maxLossPercent: 20 } },
      },
      {
        check: { kind: 'arp', ip: '192.0.2.1', neighbour: { interface: 'br0', mac: '52:54:00:12:34:56' } },
      },
      { check: { kind: 'ndp', ip: '2001:db8::10', neighbour: {} } },
      {
        check: {
          kind: 'httpGet',
          endpoint: { ip: '192.0.2.1', port: 80 },
          http: { scheme: 'http', port: 80, path: '/', headers: [] },
        },
      },
      {
        check: {
          kind: 'tcpExchange',
          endpoint: { ip: '192.0.2.1', port: 25 },
          exchange: { port: 25, steps: [{ expect: '323230' }] },
        },
      },
      {
        check: {
          kind: 'grpc',
          endpoint: { ip: '192.0.2.1', port: 50_051 },
          grpc: { port: 50_051, service: 'acme.Shop', tls: {} },
        },
      },
      {
        check: {
          kind: 'vsock',
          endpoint: { cid: 3, port: 1024 },
          exchange: { steps: [], tls: { verify: true, caFile: '/ca.pem' } },
          caPem: 'PEM of /ca.pem',
        },
      },
      { check: { kind: 'guestAgentPing', channel: 8 } },
      { check: { kind: 'vmState', channel: 7 } },
      { check: { kind: 'vmmProcess', pidfd: 9, pid: 10 } },
      { check: { kind: 'external' }, external: expect.anything() },
      { check: { kind: 'external' }, external: expect.anything() },
      { check: { kind: 'external' }, external: expect.anything() },
      { check: { kind: 'external' }, external: expect.anything() },
      { check: { kind: 'external' }, external: expect.anything() },
      { check: { kind: 'external' }, external: expect.anything() },
      { check: { kind: 'external' }, external: expect.anything() },
      { check: { kind: 'external' }, external: expect.anything() },
    ]);
  });

  it('reads the CA file of a check, and looks a host that is given by name up at each look', async () => {
    const http = {
      scheme: 'https',
      host: '198.51.100.1',
      port: 443,
      path: '/',
      headers: [],
      verify: true,
      caFile: '/ca.pem',
    } as const;
    expect(await prepareCheck({ kind: 'httpGet', http }, options)).toEqual({
      check: { kind: 'httpGet', endpoint: { ip: '198.51.100.1', port: 443 }, http, caPem: 'PEM of /ca.pem' },
    });
    expect(await prepareCheck({ kind: 'tcpSocket', host: 'web.example', port: 1 }, options)).toEqual({
      check: { kind: 'external' },
      external: expect.any(NamedHostProbe),
    });
  });

  it('connects to a Unix socket without any address', async () => {
    const http = { scheme: 'http', port: 80, path: '/', headers: [], unixSocket: '/run/a.sock' } as const;
    const { engine, readFile, setting } = options;
    expect(await prepareCheck({ kind: 'httpGet', http }, { engine, readFile, setting })).toEqual({
      check: { kind: 'httpGet', endpoint: { unix: '/run/a.sock' }, http },
    });
  });

  it('verifies with what the host trusts unless told otherwise', async () => {
    const http = { scheme: 'https', port: 443, path: '/', headers: [], verify: true } as const;
    const prepare = (readFile: (path: string) => Promise<string>) =>
      prepareCheck({ kind: 'httpGet', http }, { ...options, readFile });
    const bundle = '-----BEGIN CERTIFICATE----- of this host';
    expect(await prepare(async () => bundle)).toMatchObject({ check: { caPem: bundle } });
    const bare = await prepare(() => Promise.reject(new Error('no such file')));
    expect(bare).toMatchObject({ check: { caPem: expect.stringContaining('BEGIN CERTIFICATE') } });
  });

  it('is not done for what runs outside the engine', () => {
    expect(
      messageOf(() => PROBE_KINDS.heartbeat.lower({ kind: 'heartbeat' }, {}), 'ERR_VMPULSE_INTERNAL'),
    ).toBe('heartbeat runs outside the engine');
  });

  it.each(
    CHECKS.filter(({ kind }) => !EXTERNAL.has(kind)).map((check) => [check.kind, check] as const),
  )('refuses %s without what it needs', (kind, check) => {
    expect(messageOf(() => PROBE_KINDS[kind].lower(check, {}), 'ERR_VMPULSE_ARGUMENT')).toContain(
      'cannot be lowered without',
    );
  });

  it('labels checks for people', () => {
    expect(CHECKS.map((check) => PROBE_KINDS[check.kind].label(check))).toEqual([
      'TCP connect to port 22',
      'TCP SYN to port 22',
      'ping',
      'ARP for the address of the VM',
      'NDP for 2001:db8::10',
      'HTTP GET / on port 80',
      'TCP exchange with port 25',
      'gRPC health of acme.Shop at port 50051',
      'vsock connect to port 1024 of CID 3',
      'guest agent ping',
      'run state of the VM',
      'process of the VMM',
      'progress of the vCPUs',
      'TAP device tap0',
      'SSH banner of 192.0.2.1:22',
      'command /bin/true a b',
      'console of the VM',
      'heartbeat',
      'command test -e /run/ok in the guest',
      'resources disk, inodes, memory, cpu',
    ]);
    expect(PROBE_KINDS.tcpSocket.label({ kind: 'tcpSocket', host: '::1', port: 22 })).toBe(
      'TCP connect to [::1]:22',
    );
  });
});
