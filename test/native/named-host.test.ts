import { type AddressInfo, createServer } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ProbeEngine } from '../../src/engine/index.js';
import type { Transition } from '../../src/engine/probe-engine.js';
import { systemClock } from '../../src/model/clock.js';
import { DEFAULT_TIMING } from '../../src/model/probe.js';
import { HostResolver } from '../../src/probes/dns/host-resolver.js';
import { type ExternalProbe, lookOnce } from '../../src/probes/external.js';
import { prepareCheck } from '../../src/probes/prepare-check.js';
import { ExternalRunner } from '../../src/runtime/external-runner.js';
import { DnsServer } from '../fakes/dns-server.js';

const V6_LOOPBACK = '0:0:0:0:0:0:0:1';

/** A server on one address of loopback; its port. */
async function listen(host: string): Promise<number> {
  const server = createServer((socket) => void socket.on('error', () => {}));
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  onTestFinished(() => {
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

async function open(backend: 'native' | 'portable', dns: DnsServer, port: number) {
  const engine = new ProbeEngine({ engine: backend });
  onTestFinished(() => engine.close());
  const resolver = new HostResolver({
    clock: systemClock,
    servers: [dns.address],
    queryTimeoutMs: 200,
    prefersIpv6: () => true,
  });
  const prepared = await prepareCheck(
    { kind: 'tcpSocket', host: 'web.example', port },
    {
      engine,
      readFile: () => Promise.reject(new Error('no file is read')),
      setting: {
        probe: 'web',
        timing: DEFAULT_TIMING,
        clock: systemClock,
        debug: false,
        runInPool: () => Promise.reject(new Error('no pool here')),
        runTogether: () => Promise.reject(new Error('no pool here')),
        resolveHost: (host, options) => resolver.resolve(host, options),
      },
    },
  );
  expect(prepared.check).toEqual({ kind: 'external' });
  const { external } = prepared;
  if (external === undefined) throw new Error('a host with a name is looked up outside the engine');
  return { engine, external, look: () => lookOnce(external, { timeoutMs: 10_000, clock: systemClock }) };
}

/** The next transition of a target that an external probe answers for. */
async function* transitionsOf(engine: ProbeEngine, external: ExternalProbe): AsyncGenerator<Transition> {
  const runner = new ExternalRunner(engine, systemClock);
  onTestFinished(() => runner.close());
  const timing = { ...DEFAULT_TIMING, periodMs: 400, timeoutMs: 350, failureThreshold: 2 };
  engine.add([{ id: 'test/web/web', check: { kind: 'external' }, timing, startState: 'unknown' }]);
  for await (const batch of engine.transitions()) {
    for (const event of batch) {
      if (event.type === 'transition') yield event;
      else void runner.answer(event, external, timing.timeoutMs);
    }
  }
}

describe.each(['native', 'portable'] as const)('a host given by name, with the %s engine', (backend) => {
  it('is asked on its IPv6 address, and on the other one where that refuses', async () => {
    const dns = await DnsServer.start({ 'web.example': { a: '127.0.0.1', aaaa: V6_LOOPBACK } });
    const both = await open(backend, dns, await listen('::1'));
    expect(await both.look()).toMatchObject({ outcome: { result: 'ok' }, details: { address: '::1' } });
    const only4 = await open(backend, dns, await listen('127.0.0.1'));
    expect(await only4.look()).toMatchObject({
      outcome: { result: 'ok' },
      details: { address: '127.0.0.1' },
    });
  });

  it('has failed when it refuses on both, and when there is no such name', async () => {
    const dns = await DnsServer.start({ 'web.example': { a: '127.0.0.1', aaaa: V6_LOOPBACK } });
    const { look } = await open(backend, dns, 1);
    expect((await look()).outcome).toEqual({ result: 'failed', reason: 'connection-refused' });
    const none = await open(backend, await DnsServer.start(), 1);
    expect(await none.look()).toEqual({
      outcome: { result: 'failed', reason: 'dns-failure' },
      message: 'there is no host web.example',
    });
  });

  it('that no name server can tell says nothing about the VM', async () => {
    const { look } = await open(backend, await DnsServer.start({ 'web.example': { code: 2 } }), 1);
    expect((await look()).outcome).toEqual({ result: 'inconclusive', reason: 'prober-resources' });
  });

  it('may move to another address without a probe of its own: thresholds go on', async () => {
    const dns = await DnsServer.start({ 'web.example': { a: '127.0.0.1', ttlSeconds: 1 } });
    const port = await listen('127.0.0.2');
    const { engine, external } = await open(backend, dns, port);
    const transitions = transitionsOf(engine, external);
    const failed = (await transitions.next()).value;
    expect(failed).toMatchObject({ to: 'failed', reason: 'connection-refused' });
    dns.records.set('web.example', { a: '127.0.0.2' });
    expect((await transitions.next()).value).toMatchObject({
      from: 'failed',
      to: 'ok',
      epoch: failed?.epoch,
    });
  });
});
