import type { HttpGetOptions, ProbeCheck, StreamTls } from '../model/probe.js';

interface Conversations {
  readonly http?: HttpGetOptions;
  readonly exchange?: { readonly tls?: StreamTls };
  readonly grpc?: { readonly tls?: StreamTls };
}

/** Whether the check sees a certificate: it speaks TLS, from the start or once it asked for it. */
export function usesTls(check: ProbeCheck): boolean {
  switch (check.kind) {
    case 'httpGet':
    case 'tcpExchange':
    case 'grpc':
      return isEncrypted(check);
    case 'vsock':
      return isEncrypted(check.vsock);
    default:
      return false;
  }
}

function isEncrypted({ http, exchange, grpc }: Conversations): boolean {
  return http?.scheme === 'https' || exchange?.tls !== undefined || grpc?.tls !== undefined;
}
