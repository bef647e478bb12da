import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Journal } from '../model/ports.js';
import type { VmId } from '../model/vm.js';

const KEY_PREFIX = 'heartbeat-token/';
const TOKEN_BYTES = 32;

/**
 * The token of each VM that sends heartbeats. Only their SHA-256 is kept, in the journal's store: a token has 256 random
 * bits, so that nothing slower is needed.
 */
export class HeartbeatTokens {
  readonly #journal: Journal;
  readonly #deadlineMs: number;
  #hashes: Map<VmId, Buffer> | undefined;
  /** What a VM without a token is compared with: it takes as long as one with. */
  readonly #nobody = randomBytes(TOKEN_BYTES);

  constructor(journal: Journal, deadlineMs: number) {
    this.#journal = journal;
    this.#deadlineMs = deadlineMs;
  }

  /** A new token, which replaces the VM's former one. Rejects with ERR_VMPULSE_JOURNAL when it cannot be stored. */
  async issue(vm: VmId): Promise<string> {
    const hashes = await this.#load();
    const token = randomBytes(TOKEN_BYTES).toString('base64url');
    const hash = hashOf(token);
    await this.#journal.saveState(new Map([[`${KEY_PREFIX}${vm}`, hash.toString('hex')]]), {
      deadlineMs: this.#deadlineMs,
    });
    hashes.set(vm, hash);
    return token;
  }

  /** Rejects with ERR_VMPULSE_JOURNAL when the tokens cannot be read. */
  async isOf(vm: VmId | undefined, token: string): Promise<boolean> {
    const hashes = await this.#load();
    const expected = (vm === undefined ? undefined : hashes.get(vm)) ?? this.#nobody;
    return timingSafeEqual(hashOf(token), expected);
  }

  async #load(): Promise<Map<VmId, Buffer>> {
    if (this.#hashes === undefined) {
      const stored = await this.#journal.loadState(KEY_PREFIX);
      const entries = [...stored].map(
        ([key, hex]) => [key.slice(KEY_PREFIX.length), Buffer.from(hex, 'hex')] as const,
      );
      this.#hashes ??= new Map(entries.filter(([, hash]) => hash.length === 32));
    }
    return this.#hashes;
  }
}

function hashOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
