import { expect, it } from 'vitest';
import { isMetadataAddress } from '../../../src/probes/metadata-address.js';

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
])('%s is link-local or of a metadata service', (address) => {
  expect(isMetadataAddress(address)).toBe(true);
});

it.each([
  '192.0.2.10',
  '169.253.255.255',
  '2001:db8::1',
  'fd00:ec2::253',
  'fec0::1',
  '::ffff:192.0.2.1',
])('%s is an address as any other', (address) => {
  expect(isMetadataAddress(address)).toBe(false);
});
