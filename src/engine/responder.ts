import { guarded } from './native-decode.js';
import { loadNativeModule } from './native-module.js';

/** The other end of a benchmark: a server on every address of 127.0.0.0/8, on a thread of its own. */
export interface Responder {
  readonly port: number;
  /** Connections accepted so far; one that was reset before is not among them. */
  readonly accepted: number;
  /** Requests answered so far. */
  readonly answered: number;
  /** Idempotent. */
  close(): void;
}

/**
 * Starts a responder that accepts connections and answers each HTTP request with a small 200; with `tls` behind a
 * self-signed certificate. It is of the native addon: throws ERR_VMPULSE_NATIVE without it, ERR_VMPULSE_SYSCALL when it
 * cannot listen.
 */
export function openResponder({ tls = false }: { readonly tls?: boolean } = {}): Responder {
  const { NativeResponder } = loadNativeModule();
  return guarded(() => new NativeResponder(tls));
}
