import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { HostResolver, type HostResolverOptions } from '../../../src/probes/dns/host-resolver.js';
import { DnsServer } from '../../fakes/dns-server.js';
import { ManualClock } from '../../fakes/manual-clock.js';
import { testFolder } from '../../fixtures/folder.js';

const V6 = '2001:db8:0:0:0:0:0:1';
const NONE = { result: 'failed', reason: 'dns-failure' };
const TROUBLE = { result: 'inconclusive', reason: 'prober-resources' };

async function setUp(
  records: Parameters<typeof DnsServer.start>[0] = {},
  options: Partial<HostResolverOptions> = {},
) {
  const server = await DnsServer.start(records);
  const clock = new ManualClock();
  const dir = testFolder();
  const hostsPath = join(dir, 'hosts');
  const resolvConfPath = join(dir, 'resolv.conf');
  writeFileSync(hostsPath, '');
  const resolver = new HostResolver({
    clock,
    hostsPath,
    resolvConfPath,
    servers: [server.address],
    queryTimeoutMs: 200,
    prefersIpv6: () => false,
    ...options,
  });
  const resolve = (host: string, deadlineMs = 20_000) => resolver.resolve(host, { deadlineMs });
  return { server, clock, hostsPath, resolvConfPath, resolve };
}

describe('a host', () => {
  it('that is an address is its own answer', async () => {
    const { resolve, server } = await setUp();
    expect(await resolve('2001:db8::1')).toEqual({ addresses: ['2001:db8::1'] });
    expect(server.asked).toEqual([]);
  });

  it('has one address of each family, IPv4 first unless this host has IPv6', async () => {
    const records = { 'web.example': { a: '192.0.2.1', aaaa: V6 }, 'old.example': { a: '192.0.2.2' } };
    const without = await setUp(records);
    expect(await without.resolve('web.example')).toEqual({ addresses: ['192.0.2.1', '2001:db8::1'] });
    expect(await without.resolve('old.example')).toEqual({ addresses: ['192.0.2.2'] });
    const withIpv6 = await setUp(records, { prefersIpv6: () => true });
    expect(await withIpv6.resolve('WEB.example.')).toEqual({ addresses: ['2001:db8::1', '192.0.2.1'] });
  });

  it('is asked for once, by however many, until its TTL is over', async () => {
    const { resolve, server, clock } = await setUp({ 'web.example': { a: '192.0.2.1', ttlSeconds: 30 } });
    await Promise.all([resolve('web.example'), resolve('web.example'), resolve('web.example')]);
    await clock.advance(29_000);
    await resolve('web.example');
    expect(server.asked.toSorted()).toEqual(['web.example A', 'web.example AAAA']);
    server.records.set('web.example', { a: '192.0.2.9' });
    await clock.advance(1_000);
    expect(await resolve('web.example')).toEqual({ addresses: ['192.0.2.9'] });
    expect(server.asked).toHaveLength(4);
  });

  it('of /etc/hosts needs no name server, as soon as it is written there', async () => {
    const { resolve, server, hostsPath } = await setUp({ 'web.example': { a: '192.0.2.1' } });
    expect(await resolve('web.example')).toEqual({ addresses: ['192.0.2.1'] });
    writeFileSync(hostsPath, '# mine\n192.0.2.7 web.example www # web\n2001:db8::7 web.example\n');
    expect(await resolve('web.example')).toEqual({ addresses: ['192.0.2.7', '2001:db8::7'] });
    expect(await resolve('WWW')).toEqual({ addresses: ['192.0.2.7'] });
    expect(server.asked).toHaveLength(2);
    expect(await resolve('localhost')).toEqual({ addresses: ['127.0.0.1', '::1'] });
  });

  it('that does not exist has failed, for some seconds without asking again', async () => {
    const { resolve, server, clock } = await setUp({ 'empty.example': {} });
    expect(await resolve('gone.example')).toEqual({ outcome: NONE, detail: 'there is no host gone.example' });
    expect(await resolve('empty.example')).toEqual({ outcome: NONE, detail: 'empty.example has no address' });
    expect(await resolve('any.invalid')).toEqual({ outcome: NONE, detail: 'there is no host any.invalid' });
    await resolve('gone.example');
    expect(server.asked).toHaveLength(4);
    server.records.set('gone.example', { a: '192.0.2.1' });
    await clock.advance(5_000);
    expect(await resolve('gone.example')).toEqual({ addresses: ['192.0.2.1'] });
  });

  it('is not known to fail when no name server can tell; its old address is used for an hour', async () => {
    const { resolve, server, clock } = await setUp({
      'web.example': { a: '192.0.2.1' },
      'broken.example': { code: 2 },
    });
    await resolve('web.example');
    expect(await resolve('broken.example')).toEqual({
      outcome: TROUBLE,
      detail: expect.stringContaining('no name server could tell the address of broken.example'),
    });
    server.silent = true;
    expect(await resolve('other.example')).toEqual({ outcome: TROUBLE, detail: expect.any(String) });
    expect(await resolve('slow.example', 1)).toEqual({
      outcome: TROUBLE,
      detail: expect.stringContaining('no answer within 1 ms'),
    });
    await clock.advance(3_000_000);
    expect(await resolve('web.example')).toEqual({ addresses: ['192.0.2.1'] });
    await clock.advance(3_600_000);
    expect(await resolve('web.example')).toMatchObject({ outcome: TROUBLE });
  });

  it('without a dot is looked for below the search domains first', async () => {
    const { resolve, server, resolvConfPath } = await setUp({ 'db.two.example': { a: '192.0.2.5' } });
    writeFileSync(resolvConfPath, 'nameserver 192.0.2.53\nsearch one.example two.example.\n');
    expect(await resolve('db')).toEqual({ addresses: ['192.0.2.5'] });
    expect(server.asked.filter((query) => query.endsWith(' A'))).toEqual([
      'db.one.example A',
      'db.two.example A',
    ]);
    expect(await resolve('gone.')).toMatchObject({ outcome: NONE });
    expect(server.asked.at(-1)).toMatch(/^gone A/);
  });

  it('is refused where its name leads to a link-local or metadata address', async () => {
    const { resolve, hostsPath } = await setUp({ 'web.example': { a: '169.254.169.254' } });
    writeFileSync(hostsPath, '169.254.169.254 db.example\n');
    for (const name of ['web.example', 'db.example']) {
      expect(await resolve(name)).toEqual({
        outcome: NONE,
        detail: `${name} leads to 169.254.169.254, a link-local or metadata address; write the address to probe it`,
      });
    }
    expect(await resolve('169.254.169.254')).toEqual({ addresses: ['169.254.169.254'] });
  });
});
