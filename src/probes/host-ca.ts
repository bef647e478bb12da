import { rootCertificates } from 'node:tls';

/** Where distributions keep the certificates that the host trusts: Debian, RHEL, SUSE. */
const BUNDLES = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
];

/** The certificates that this host trusts, as PEM; those that come with Node where the host has no bundle. */
export async function hostCaPem(readFile: (path: string) => Promise<string>): Promise<string> {
  for (const path of BUNDLES) {
    const pem = await readFile(path).catch(() => '');
    if (pem.includes('BEGIN CERTIFICATE')) return pem;
  }
  return rootCertificates.join('\n');
}
