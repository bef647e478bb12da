import { type Fault, fault, protocolError } from '../fault.js';
import { escapeBytes } from '../text.js';

/** Bytes of the answer; `OK 4294967295\n` has 14. */
const MAX_LINE = 32;
const BEGINS_OK = /^(?:O|OK|OK [0-9]*)$/;

/** The door of a hybrid vsock socket (Firecracker, Cloud Hypervisor): `CONNECT <port>` and `OK <port>`, each a line. */
export class HybridDoor {
  #line = '';

  /** What to send, in one write: Cloud Hypervisor takes what one read gives it for the whole line. */
  static knock(port: number): string {
    return `CONNECT ${port}\n`;
  }

  /** Undefined: closed as yet. `used`: open, and so many of the bytes belonged to the answer. Or why it stays closed. */
  push(bytes: Buffer): { readonly used: number } | Fault | undefined {
    for (const [index, byte] of bytes.entries()) {
      const line = this.#line + String.fromCharCode(byte);
      if (/^OK [0-9]+\n$/.test(line)) return { used: index + 1 };
      this.#line = line;
      if (line.length >= MAX_LINE || !BEGINS_OK.test(line)) {
        const shown = escapeBytes(Buffer.from(line, 'latin1'), MAX_LINE);
        return protocolError(`the answer to CONNECT is "${shown}"`);
      }
    }
    return undefined;
  }

  /** The stream ended, in order or not: nobody listens on the port, or the guest has no driver yet. */
  end(): Fault {
    const text = 'the hypervisor closed the connection: nothing in the guest listens on the port';
    return fault('connection-refused', text);
  }
}
