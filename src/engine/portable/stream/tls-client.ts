import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { createSecureContext, type SecureContext } from 'node:tls';
import { argumentError } from '../argument.js';
import { type Fault, fault } from '../fault.js';

const MS_A_DAY = 86_400_000;
/** What the Rust engine offers, so that a server is found to fail or to do by both. */
const CIPHERS = [
  'TLS_AES_256_GCM_SHA384',
  'TLS_AES_128_GCM_SHA256',
  'TLS_CHACHA20_POLY1305_SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-RSA-CHACHA20-POLY1305',
].join(':');
const PEM = /-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----/gs;
const DATE_ERRORS: readonly string[] = ['CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID'];

/** How servers are authenticated; one is shared by all targets of the same settings. */
export class TlsClient {
  readonly context: SecureContext;
  /** Fingerprints of the bundle's certificates; undefined: nothing is verified. */
  readonly #listed: ReadonlySet<string> | undefined;

  /** `caPem`: the bundle to verify against; undefined: any certificate does. Throws ERR_VMPULSE_ARGUMENT. */
  constructor(caPem: string | undefined) {
    if (caPem === undefined) {
      // A weak key says nothing of the server's health.
      this.context = createSecureContext({ minVersion: 'TLSv1.2', ciphers: `${CIPHERS}:@SECLEVEL=0` });
      this.#listed = undefined;
      return;
    }
    const certificates = readBundle(caPem);
    this.#listed = new Set(certificates.map(({ fingerprint256 }) => fingerprint256));
    this.context = createSecureContext({
      minVersion: 'TLSv1.2',
      ciphers: CIPHERS,
      ca: certificates.map(String),
    });
  }

  /**
   * Judges the certificate of a server that finished its handshake. `name`: what it must be for. `failure`: what the
   * library found wrong with the chain.
   */
  check(
    certificate: X509Certificate | undefined,
    name: string,
    failure: string | undefined,
    nowMs: number,
  ): Fault | undefined {
    if (this.#listed === undefined) return undefined;
    if (certificate === undefined)
      return fault('certificate-untrusted', 'TLS: the server has no certificate');
    const fromMs = Date.parse(certificate.validFrom);
    const untilMs = Date.parse(certificate.validTo);
    if (!(nowMs >= fromMs && nowMs <= untilMs)) {
      const which = nowMs < fromMs ? 'not valid yet' : 'expired';
      return fault('certificate-expired', `TLS: the certificate is ${which}`);
    }
    // A server whose own certificate is in the bundle is trusted as it is.
    if (failure !== undefined && !this.#listed.has(certificate.fingerprint256)) {
      return DATE_ERRORS.includes(failure)
        ? fault('certificate-expired', 'TLS: a certificate of the chain is expired or not valid yet')
        : fault('certificate-untrusted', `TLS: the chain does not end in the bundle (${failure})`);
    }
    return isFor(certificate, name)
      ? undefined
      : fault('name-mismatch', `TLS: the certificate is not for ${name}`);
  }
}

/** End of a certificate's validity, wall-clock ms; undefined: it cannot be read. */
export function notAfterMs(certificate: X509Certificate | undefined): number | undefined {
  const ms = Date.parse(certificate?.validTo ?? '');
  return Number.isNaN(ms) ? undefined : ms;
}

/** Fails when less than `days` of a certificate's life are left. */
export function checkExpiry(endsAtMs: number | undefined, days: number, nowMs: number): Fault | undefined {
  if (endsAtMs === undefined) {
    return fault('certificate-untrusted', "the certificate's dates cannot be read");
  }
  const leftMs = endsAtMs - nowMs;
  if (leftMs >= days * MS_A_DAY) return undefined;
  const leftDays = Math.floor(Math.abs(leftMs) / MS_A_DAY);
  return fault(
    'certificate-expired',
    leftMs < 0
      ? `the certificate expired ${leftDays} days ago`
      : `the certificate expires in ${leftDays} days, wanted ${days}`,
  );
}

function isFor(certificate: X509Certificate, name: string): boolean {
  if (isIP(name) !== 0) return certificate.checkIP(name) !== undefined;
  const bare = name.endsWith('.') ? name.slice(0, -1) : name;
  return certificate.checkHost(bare, { subject: 'never', partialWildcards: false }) !== undefined;
}

function readBundle(caPem: string): X509Certificate[] {
  const pems = caPem.match(PEM) ?? [];
  if (pems.length === 0) throw argumentError('caPem holds no certificate');
  return pems.map((pem, index) => {
    try {
      return new X509Certificate(pem);
    } catch {
      throw argumentError(`caPem: certificate ${index + 1} of the CA bundle cannot be read`);
    }
  });
}
