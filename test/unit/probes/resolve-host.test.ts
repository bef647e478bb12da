import { lookup } from 'node:dns/promises';
import { beforeEach, expect, it, vi } from 'vitest';
import { isMetadataAddress } from '../../../src/probes/metadata-address.js';
import { resolveHost } from '../../../src/probes/resolve-host.js';

vi.mock('node:dns/promises', () => ({ lookup: vi.fn() }));

function answers(address: string): void {
  vi.mocked(lookup).mockResolvedValue({ address, family: address.includes(':') ? 6 : 4 });
}

beforeEach(() => vi.mocked(lookup).mockReset());

it.each([
  '169.254.169.254',
  '169.254.0.1',
  'fe80::1',
  'febf::ffff%eth0',
  'fd00:ec2::254',
  'fd20:ce::254',
  '100.100.100.200',
  '::ffff:169.254.169.254',
  '::ffff:a9fe:a9fe',
])('a name that leads to %s is refused, the address itself is not', async (address) => {
  answers(address);
  expect(await resolveHost('web.example', { deadlineMs: 5000 })).toEqual({
    failure: 'dns-failure',
    detail: `web.example leads to ${address}, a link-local or metadata address; write the address to probe it`,
  });
  if (!address.includes('%'))
    expect(await resolveHost(address, { deadlineMs: 5000 })).toEqual({ ip: address });
});

it.each([
  '192.0.2.10',
  '169.253.255.255',
  '2001:db8::1',
  'fd00:ec2::253',
  'fec0::1',
  '::ffff:192.0.2.1',
])('%s is an address as any other', async (address) => {
  answers(address);
  expect(isMetadataAddress(address)).toBe(false);
  expect(await resolveHost('web.example', { deadlineMs: 5000 })).toEqual({ ip: address });
});
