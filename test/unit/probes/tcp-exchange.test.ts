import { describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/model/clock.js';
import { isVmpulseError } from '../../../src/model/errors.js';
import { DEFAULT_TIMING } from '../../../src/model/probe.js';
import { type ProbeFlags, withFlags } from '../../../src/probes/flags.js';
import { prepareCheck } from '../../../src/probes/prepare-check.js';
import { PROBE_KINDS, parseProbeTarget } from '../../../src/probes/registry.js';

const never = () => Promise.reject(new Error('nothing of it runs in the pool'));
const hex = (text: string) => Buffer.from(text, 'latin1').toString('hex');
const parse = (written: object) => PROBE_KINDS.tcpExchange.schema.parse({ port: 25, ...written });

describe('steps of a document', () => {
  it.each([
    [{ send: 'PING\\r\\n' }, { send: hex('PING\r\n') }],
    [{ send: 'real\r\n' }, { send: hex('real\r\n') }],
    [{ expect: '\\xff\\0\\t\\\\n' }, { expect: hex('\xff\0\t\\n') }],
    [{ expect: 'é' }, { expect: 'c3a9' }],
    [{ sendHex: '0D 0a:fF' }, { send: '0d0aff' }],
    [{ expectHex: '00' }, { expect: '00' }],
    [{ expectRegex: '^220 .*\\n' }, { expectRegex: '^220 .*\\n' }],
  ])('%j is %j', (step, expected) => {
    const check = parse({ steps: [step, { expect: 'x' }] });
    expect(check).toEqual({
      kind: 'tcpExchange',
      exchange: { port: 25, steps: [expected, { expect: '78' }] },
    });
  });

  it.each([
    [{ send: '' }, 'is empty'],
    [{ send: '\\' }, 'unknown escape'],
    [{ send: '\\x4' }, 'unknown escape'],
    [{ send: 'a'.repeat(4097) }, 'longer than 4096'],
    [{ expect: 'a'.repeat(1025) }, 'longer than 1024'],
    [{ expectHex: 'abc' }, 'not bytes in hex'],
    [{ expectRegex: '(?=a)' }, 'look-around'],
    [{ expectRegex: '\\p{L}' }, 'Unicode escape'],
    [{ expectRegex: 'é' }, 'beyond ASCII'],
    [{ expectRegex: 'a?' }, 'matches nothing at all'],
    [{}, 'must be one step'],
  ])('%j is refused', (step, problem) => {
    expect(() => parse({ steps: [step, { expect: 'x' }] })).toThrow(problem);
  });

  it('bring TLS with them, from the start or by a step', () => {
    expect(parse({ tls: true, serverName: 'mx.example', verify: true })).toMatchObject({
      exchange: { steps: [], tls: { serverName: 'mx.example', verify: true } },
    });
    expect(parse({ steps: [{ startTls: true }], caFile: '/ca.pem', verify: true })).toMatchObject({
      exchange: { steps: [{ startTls: true }], tls: { caFile: '/ca.pem' } },
    });
  });
});

it('is lowered with its bundle, to a socket of either sort', async () => {
  const options = {
    setting: {
      probe: 'exchange',
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
  const exchange = { port: 636, steps: [], tls };
  expect(await prepareCheck({ kind: 'tcpExchange', exchange }, options)).toEqual({
    check: {
      kind: 'tcpExchange',
      endpoint: { ip: '2001:db8::1', port: 636 },
      exchange,
      caPem: 'PEM of /ca.pem',
    },
  });
  const local = { unixSocket: '/run/app.sock', steps: [{ expect: '00' }] };
  expect(await prepareCheck({ kind: 'tcpExchange', exchange: local }, options)).toMatchObject({
    check: { endpoint: { unix: '/run/app.sock' } },
  });
});

describe('options of the command line', () => {
  const target = parseProbeTarget('exchange', '192.0.2.10:25');
  const given = (flags: ProbeFlags) => withFlags(target, flags).check;
  const refused = (flags: ProbeFlags): string => {
    try {
      given(flags);
    } catch (error) {
      if (isVmpulseError(error, 'ERR_VMPULSE_USAGE')) return error.message;
      throw error;
    }
    throw new Error('nothing was thrown');
  };

  it('are the steps in their order', () => {
    expect(given({ steps: ['send:PING\\r\\n', 'regex:^\\+PONG', 'start-tls'], verify: true })).toEqual({
      kind: 'tcpExchange',
      exchange: {
        host: '192.0.2.10',
        port: 25,
        steps: [{ send: hex('PING\r\n') }, { expectRegex: '^\\+PONG' }, { startTls: true }],
        tls: { verify: true },
      },
    });
    expect(given({ tls: true, host: 'mx.example' })).toMatchObject({
      exchange: { steps: [], tls: { serverName: 'mx.example' } },
    });
  });

  it.each<[ProbeFlags, string]>([
    [{}, 'nothing is expected'],
    [{ steps: ['send:a'] }, 'nothing is expected'],
    [{ steps: ['say:a'] }, '--step say:a is not a step'],
    [{ steps: ['regex:('] }, 'is not a regular expression'],
    [{ steps: ['expect:'] }, 'is empty'],
    [{ steps: ['expect:a'], verify: true }, 'need TLS; add --tls'],
    [{ steps: ['start-tls'], tls: true }, 'exclude each other'],
    [{ tls: true, host: 'a b' }, '--host is not a host'],
    [{ tls: true, method: 'GET' }, '--method does not fit a tcpExchange probe'],
  ])('%j is refused', (flags, problem) => {
    expect(refused(flags)).toContain(problem);
  });
});
