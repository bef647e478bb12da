import { join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import type { ProbeEngine, TargetCheck } from '../../src/engine/probe-engine.js';
import type { ProbeResult } from '../../src/model/outcome.js';
import type { HttpGetOptions } from '../../src/model/probe.js';
import { type ExchangeCase, match, PLAIN_EXCHANGES, send, wait } from '../fakes/exchange-zoo.js';
import { TLS_EXCHANGES } from '../fakes/exchange-zoo-tls.js';
import { refuses, tcp } from '../fakes/http-zoo-server.js';
import { failed } from '../fakes/http-zoo-verdict.js';
import { FakeHybridVsock, type GuestPort, VSOCK_FAULTS } from '../fakes/hybrid-vsock.js';
import { testFolder } from '../fixtures/folder.js';
import { whyNoAddon } from './engine/addon.js';
import { type Engine, expectSame, probe } from './engine/differential.js';
import { openEngine } from './engine/support.js';

const missing = whyNoAddon();
const CASES = [...PLAIN_EXCHANGES, ...TLS_EXCHANGES].map((zooCase) => [zooCase.name, zooCase] as const);
const GUEST_PORT = 1024;

beforeEach((ctx) => {
  if (missing !== undefined) ctx.skip(`the engine addon does not load: ${missing}`);
});

/** Asks with both engines, which must agree, and gives what they say. */
async function both(
  name: string,
  check: (engine: Engine) => Promise<TargetCheck>,
  waits: boolean | undefined,
): Promise<ProbeResult> {
  const ask = async (engine: Engine): Promise<ProbeResult> => {
    const lowered = await check(engine);
    return await probe(engine, () => lowered, waits === true ? 400 : 10_000);
  };
  const native = await ask('native');
  const portable = await ask('portable');
  expectSame(name, native, portable);
  for (const detail of ['tlsVersion', 'certificateNotAfterMs'])
    expect(portable.details[detail], detail).toBe(native.details[detail]);
  return portable;
}

const bundle = ({ caPem }: ExchangeCase) => (caPem === undefined ? {} : { caPem });

it('every case has a name of its own', () => {
  expect(new Set(CASES.map(([name]) => name)).size).toBe(CASES.length);
});

describe('conversations over TCP', () => {
  it.each(CASES)('%s', async (name, zooCase) => {
    const check = async (): Promise<TargetCheck> => {
      const server = await tcp(zooCase.serve);
      onTestFinished(() => server.close());
      const endpoint = { ip: '127.0.0.1', port: server.port };
      return { kind: 'tcpExchange', endpoint, exchange: zooCase.script, ...bundle(zooCase) };
    };
    const { outcome, details } = await both(name, check, zooCase.waits);
    expect(outcome, String(details.message)).toEqual(zooCase.expected);
  });

  it('a port that refuses', async () => {
    const server = await refuses();
    onTestFinished(() => server.close());
    const exchange = { steps: [wait('a')] };
    const endpoint = { ip: '127.0.0.1', port: server.port };
    const { outcome } = await both(
      'a port that refuses',
      async () => ({ kind: 'tcpExchange', endpoint, exchange }),
      false,
    );
    expect(outcome).toEqual(failed('connection-refused'));
  });
});

/** A guest behind its hypervisor's socket, until the test ends. */
async function guest(serve?: GuestPort): Promise<FakeHybridVsock> {
  const fake = await FakeHybridVsock.listen(join(testFolder(), 'vm.vsock'));
  onTestFinished(() => fake.close());
  if (serve !== undefined) fake.serve(GUEST_PORT, serve);
  return fake;
}

describe('conversations over hybrid vsock', () => {
  it.each(CASES.filter(([, { tcpOnly }]) => tcpOnly !== true))('%s', async (name, zooCase) => {
    const check = async (): Promise<TargetCheck> => {
      const { path } = await guest(zooCase.serve);
      const endpoint = { hybrid: path, port: GUEST_PORT };
      return { kind: 'vsock', endpoint, exchange: zooCase.script, ...bundle(zooCase) };
    };
    const { outcome, details } = await both(`${name} (vsock)`, check, zooCase.waits);
    expect(outcome, String(details.message)).toEqual(zooCase.expected);
  });
});

describe('the door of a hybrid vsock', () => {
  const http: HttpGetOptions = { scheme: 'http', port: 80, path: '/', headers: [] };
  const TALKS = {
    nothing: {},
    'a script': { exchange: { steps: [send('PING\r\n'), wait('+PONG')] } },
    http: { http },
  } as const;
  const REASONS = {
    silent: 'connect-timeout',
    half: 'connect-timeout',
    busy: 'connect-timeout',
    'half-then-end': 'connection-refused',
    end: 'connection-refused',
    wrong: 'protocol-error',
    flood: 'protocol-error',
  } as const;

  it.each(
    VSOCK_FAULTS.flatMap((fault) => Object.keys(TALKS).map((talk) => [fault, talk] as const)),
  )('%s, before %s', async (fault, talk) => {
    const check = async (): Promise<TargetCheck> => {
      const fake = await guest(() => {});
      fake.fault = fault;
      const [, said] = Object.entries(TALKS).find(([name]) => name === talk) ?? [];
      return { kind: 'vsock', endpoint: { hybrid: fake.path, port: GUEST_PORT }, ...said };
    };
    const waits = REASONS[fault] === 'connect-timeout';
    const { outcome } = await both(`${fault}, ${talk}`, check, waits);
    expect(outcome).toEqual(failed(REASONS[fault]));
  });

  it.each([
    ['a port that is served', GUEST_PORT, { result: 'ok' }],
    ['a port that is not', GUEST_PORT + 1, failed('connection-refused')],
  ] as const)('%s', async (name, port, expected) => {
    const check = async (): Promise<TargetCheck> => {
      const { path } = await guest(() => {});
      return { kind: 'vsock', endpoint: { hybrid: path, port } };
    };
    expect((await both(name, check, false)).outcome).toEqual(expected);
  });

  it.each([
    ['200 OK', { result: 'ok' }],
    ['503 No', failed('bad-status')],
  ] as const)('HTTP that says %s', async (status, expected) => {
    const check = async (): Promise<TargetCheck> => {
      const answer = `HTTP/1.1 ${status}\r\nContent-Length: 0\r\n\r\n`;
      const { path } = await guest((socket) => void socket.once('data', () => socket.write(answer)));
      return { kind: 'vsock', endpoint: { hybrid: path, port: GUEST_PORT }, http };
    };
    expect((await both(status, check, false)).outcome).toEqual(expected);
  });

  it('no socket at all', async () => {
    const endpoint = { hybrid: join(testFolder(), 'none.vsock'), port: GUEST_PORT };
    const { outcome } = await both('no socket', async () => ({ kind: 'vsock', endpoint }), false);
    expect(outcome).toEqual(failed('connection-refused'));
  });
});

/** The same numbers for the same seed (mulberry32). */
function randomNumbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

const PATTERNS = 400;
const SEED = 20_260_102;
const PIECES = [
  ...[
    'a',
    'b',
    '.',
    '\\b',
    '\\B',
    '\\w',
    '\\W',
    '\\s',
    '\\d',
    '\\x00',
    '\\xff',
    '[a-c]',
    '[^a\\n]',
    '[\\]b-]',
  ],
  ...['(a|b)', '(?:ab|a)', '(^|\\n)', '(b|$)', '\\.', '(?:c{2})', '\\n', '^', '$', '(?<n>ab?)'],
];
const COUNTS = ['', '', '', '+', '*', '?', '{2}', '{1,3}', '{2,}', '+?', '*?'];
const BYTES = ['a', 'b', 'c', 'ab', ' ', '\n', '\r', '\u000b', '1', '.', '\u0000', '\u00ff', ']', '-'];

it('both read the same expressions alike', { timeout: 120_000 }, async () => {
  const random = randomNumbers(SEED);
  const some = (list: readonly string[], most: number, more: (one: string) => string = (one) => one) =>
    Array.from({ length: random(most) + 1 }, () => more(list[random(list.length)] ?? '')).join('');
  const [native, portable] = (['native', 'portable'] as const).map((engine) => openEngine({ engine }));
  if (native === undefined || portable === undefined) throw new Error('two engines were made');
  let text = '';
  const server = await guest((socket) => void socket.resume().end(text, 'latin1'));
  const endpoint = { hybrid: server.path, port: GUEST_PORT };
  const said = async (engine: ProbeEngine, pattern: string): Promise<unknown> => {
    // What is left for the second step tells how far the first one read.
    const exchange = { steps: [match(pattern), wait('never')] };
    try {
      const { outcome, details } = await engine.probeOnce(
        { kind: 'vsock', endpoint, exchange },
        { timeoutMs: 10_000 },
      );
      const message = String(details.message);
      // A match that has become impossible is seen sooner by one of them.
      return [outcome, message.startsWith('step 2') ? message : 'step 1'];
    } catch (error) {
      return error instanceof Error && /matches nothing|two groups|duplicate capture/.test(error.message)
        ? 'refused'
        : error;
    }
  };
  let decided = 0;
  for (let round = 0; round < PATTERNS; round += 1) {
    const counted = (piece: string) =>
      /^(?:\\b|\\B|\^|\$)$/.test(piece) ? piece : piece + (COUNTS[random(COUNTS.length)] ?? '');
    const pattern = some(PIECES, 5, counted);
    text = some(BYTES, 8);
    const ours = await said(portable, pattern);
    expect(ours, `round ${round}: ${pattern} on ${JSON.stringify(text)}`).toEqual(
      await said(native, pattern),
    );
    if (ours !== 'refused') decided += 1;
  }
  expect(decided).toBeGreaterThan(PATTERNS / 2);
});
