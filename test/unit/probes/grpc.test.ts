import { describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/model/clock.js';
import { isVmpulseError } from '../../../src/model/errors.js';
import { DEFAULT_TIMING } from '../../../src/model/probe.js';
import { type ProbeFlags, withFlags } from '../../../src/probes/flags.js';
import { prepareCheck } from '../../../src/probes/prepare-check.js';
import { PROBE_KINDS, parseProbeTarget } from '../../../src/probes/registry.js';

const never = () => Promise.reject(new Error('nothing of it runs outside the engine'));

function refused(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (isVmpulseError(error, 'ERR_VMPULSE_USAGE')) return error.message;
    throw error;
  }
  throw new Error('nothing was thrown');
}

it.each([
  [{ port: 50_051 }, { port: 50_051 }],
  [{ port: 50_051, service: '' }, { port: 50_051 }],
  [
    { unixSocket: '/run/a.sock', service: 'a.B' },
    { unixSocket: '/run/a.sock', service: 'a.B' },
  ],
  [
    { host: '192.0.2.1', port: 1, tls: true, verify: true, caFile: '/ca.pem', authority: 'a:1' },
    { host: '192.0.2.1', port: 1, authority: 'a:1', tls: { verify: true, caFile: '/ca.pem' } },
  ],
])('%j of a document is %j', (written, grpc) => {
  expect(PROBE_KINDS.grpc.schema.parse(written)).toEqual({ kind: 'grpc', grpc });
});

it('is part of a vsock probe, instead of another conversation', () => {
  const { schema } = PROBE_KINDS.vsock;
  expect(schema.parse({ cid: 3, port: 50_051, grpc: { service: 'a.B', tls: true } })).toEqual({
    kind: 'vsock',
    vsock: { cid: 3, port: 50_051, grpc: { service: 'a.B', tls: {} } },
  });
  expect(() => schema.parse({ cid: 3, port: 1, httpGet: {}, grpc: {} })).toThrow(
    'cannot stand beside httpGet; remove one of them',
  );
  expect(() => schema.parse({ cid: 3, port: 1, grpc: { verify: true } })).toThrow('needs TLS; set tls: true');
});

it('is lowered with its bundle, to a place of either sort', async () => {
  const options = {
    setting: {
      probe: 'grpc',
      timing: DEFAULT_TIMING,
      clock: systemClock,
      runInPool: never,
      runTogether: never,
      resolveHost: never,
    },
    engine: { probeOnce: never },
    address: '2001:db8::1',
    readFile: async (path: string) => `PEM of ${path}`,
  };
  const tls = { verify: true, caFile: '/ca.pem' };
  const grpc = { port: 443, tls };
  expect(await prepareCheck({ kind: 'grpc', grpc }, options)).toEqual({
    check: { kind: 'grpc', endpoint: { ip: '2001:db8::1', port: 443 }, grpc, caPem: 'PEM of /ca.pem' },
  });
  const vsock = { cid: 3, port: 1, grpc: { tls } };
  expect(await prepareCheck({ kind: 'vsock', vsock }, options)).toEqual({
    check: { kind: 'vsock', endpoint: { cid: 3, port: 1 }, grpc: { tls }, caPem: 'PEM of /ca.pem' },
  });
});

describe('targets of the command line', () => {
  it.each([
    ['192.0.2.10:50051', { host: '192.0.2.10', port: 50_051 }],
    ['192.0.2.10:50051/', { host: '192.0.2.10', port: 50_051 }],
    ['[2001:db8::1]:443/acme.Shop', { host: '2001:db8::1', port: 443, service: 'acme.Shop' }],
    ['web.example:443/a/b', { host: 'web.example', port: 443, service: 'a/b' }],
    ['unix:/run/app.sock', { unixSocket: '/run/app.sock' }],
    ['unix:/run/app.sock:/acme.Shop', { unixSocket: '/run/app.sock', service: 'acme.Shop' }],
  ])('%s', (text, grpc) => {
    expect(parseProbeTarget('grpc', text)).toEqual({ check: { kind: 'grpc', grpc } });
  });

  it.each([
    ['web.example', 'has no port;'],
    ['web.example/acme.Shop', 'has no port;'],
    ['unix:app.sock', 'is not an absolute path ("app.sock")'],
    [`a:1/${'x'.repeat(257)}`, 'has a service that is longer than 256 bytes'],
    ['a:1/x\n', 'has a service that has a control character'],
  ])('%s is refused', (text, problem) => {
    expect(refused(() => parseProbeTarget('grpc', text))).toContain(problem);
  });

  const given = (flags: ProbeFlags) => withFlags(parseProbeTarget('grpc', '192.0.2.10:443'), flags).check;

  it.each<[ProbeFlags, object]>([
    [{}, {}],
    [{ host: 'web.example' }, { authority: 'web.example' }],
    [{ host: '2001:db8::1' }, { authority: '[2001:db8::1]' }],
    [{ tls: true }, { tls: {} }],
    [
      { tls: true, verify: true, host: 'web.example' },
      { authority: 'web.example', tls: { verify: true, serverName: 'web.example' } },
    ],
  ])('take %j', (flags, grpc) => {
    expect(given(flags)).toEqual({ kind: 'grpc', grpc: { host: '192.0.2.10', port: 443, ...grpc } });
  });

  it.each<[ProbeFlags, string]>([
    [{ verify: true }, '--verify and --host need TLS; add --tls'],
    [{ host: 'a b' }, '--host is not a host'],
    [{ steps: ['expect:a'] }, '--step does not fit a grpc probe'],
    [{ method: 'GET' }, '--method does not fit a grpc probe'],
  ])('refuse %j', (flags, problem) => {
    expect(refused(() => given(flags))).toContain(problem);
  });
});
