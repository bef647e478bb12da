import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import { VmpulseError } from '../../model/errors.js';
import { parseJson } from '../../model/parse-json.js';
import type { Journal } from '../../model/ports.js';
import { SCOPES, type Scope } from '../../model/scope.js';
import { Turns } from '../../model/turns.js';
import type { Caller } from './caller.js';

const KEY_PREFIX = 'api-token/';
const TOKEN_BYTES = 32;
export const MAX_TOKENS = 1_000;
/** Longest wait for the journal, ms. */
const JOURNAL_MS = 5_000;

const storedSchema = z.object({
  hash: z.string().regex(/^[0-9a-f]{64}$/),
  scope: z.enum(SCOPES),
  createdAtMs: z.number(),
  expiresAtMs: z.number().nullable(),
  author: z.string(),
});
type StoredToken = z.output<typeof storedSchema>;

/** A token as it is told: not itself. */
export interface TokenView extends Omit<StoredToken, 'hash'> {
  readonly name: string;
}

export interface NewToken {
  readonly name: string;
  readonly scope: Scope;
  /** Null: it does not expire. */
  readonly forMs: number | null;
  readonly author: string;
}

/** Tokens of clients that come by TCP. */
export interface TokenApi {
  /** Rejects with ERR_VMPULSE_ARGUMENT where there is one of that name. Only now is the token itself told. */
  create(token: NewToken): Promise<{ readonly token: string; readonly view: TokenView }>;
  list(): Promise<readonly TokenView[]>;
  /** Rejects with ERR_VMPULSE_ARGUMENT where there is none of that name. */
  revoke(name: string, author: string): Promise<void>;
}

/**
 * The tokens, of which only the SHA-256 is kept, in the journal's store: a token has 256 random bits, so that nothing
 * slower is needed. Each change is on record before it counts.
 */
export class TokenStore implements TokenApi {
  readonly #journal: Pick<Journal, 'append' | 'loadState' | 'saveState'>;
  readonly #nowMs: () => number;
  #tokens: Promise<Map<string, StoredToken>> | undefined;
  /** Revoked, but not yet on disk: they count no more, and can be revoked again. */
  readonly #ending = new Set<string>();
  readonly #turns = new Turns();

  constructor(journal: Pick<Journal, 'append' | 'loadState' | 'saveState'>, nowMs = Date.now) {
    this.#journal = journal;
    this.#nowMs = nowMs;
  }

  create(token: NewToken) {
    return this.#turns.take(() => this.#create(token));
  }

  async #create({ name, scope, forMs, author }: NewToken) {
    const tokens = await this.#load();
    const nowMs = this.#nowMs();
    if (tokens.has(name)) throw argument(`there is a token ${name} already; revoke it or give another name`);
    if (tokens.size >= MAX_TOKENS) throw argument(`there are ${MAX_TOKENS} tokens already; revoke one`);
    const token = `vmp_${randomBytes(TOKEN_BYTES).toString('base64url')}`;
    const expiresAtMs = forMs === null ? null : nowMs + forMs;
    const stored = { hash: hashOf(token).toString('hex'), scope, createdAtMs: nowMs, expiresAtMs, author };
    await this.#record(`${author} makes the token ${name} with the scope ${scope}`, { name, scope, author });
    await this.#save(name, JSON.stringify(stored));
    tokens.set(name, stored);
    return { token, view: viewOf(name, stored) };
  }

  async list() {
    return [...(await this.#load())].map(([name, stored]) => viewOf(name, stored));
  }

  revoke(name: string, author: string) {
    return this.#turns.take(async () => {
      const tokens = await this.#load();
      if (!tokens.has(name))
        throw argument(`there is no token ${name}; vmpulse token list has what there is`);
      await this.#record(`${author} revokes the token ${name}`, { name, author });
      this.#ending.add(name);
      await this.#save(name, null);
      tokens.delete(name);
      this.#ending.delete(name);
    });
  }

  /** Whose token that is; undefined: nobody's, or it has expired. Takes as long for either. */
  async callerOf(token: string): Promise<Caller | undefined> {
    const hash = hashOf(token);
    let found: Caller | undefined;
    for (const [name, stored] of await this.#load()) {
      const isIt = timingSafeEqual(hash, Buffer.from(stored.hash, 'hex'));
      const isValid = stored.expiresAtMs === null || stored.expiresAtMs > this.#nowMs();
      if (isIt && isValid && !this.#ending.has(name))
        found = { identity: `token:${name}`, scope: stored.scope };
    }
    return found;
  }

  #load(): Promise<Map<string, StoredToken>> {
    this.#tokens ??= this.#read().catch((error: unknown) => {
      this.#tokens = undefined;
      throw error;
    });
    return this.#tokens;
  }

  async #read(): Promise<Map<string, StoredToken>> {
    const tokens = new Map<string, StoredToken>();
    for (const [key, text] of await this.#journal.loadState(KEY_PREFIX)) {
      const stored = readStored(text);
      // One that cannot be read lets nobody in, and keeps nobody out.
      if (stored !== undefined) tokens.set(key.slice(KEY_PREFIX.length), stored);
    }
    return tokens;
  }

  #save(name: string, value: string | null): Promise<void> {
    return this.#journal.saveState(new Map([[`${KEY_PREFIX}${name}`, value]]), { deadlineMs: JOURNAL_MS });
  }

  #record(text: string, data: Readonly<Record<string, unknown>>): Promise<void> {
    const entry = { atMs: this.#nowMs(), vm: null, type: 'operator', actionId: null, text, data } as const;
    return this.#journal.append([entry], { deadlineMs: JOURNAL_MS });
  }
}

function readStored(text: string): StoredToken | undefined {
  return storedSchema.safeParse(parseJson(text)).data;
}

function viewOf(name: string, { hash: _, ...rest }: StoredToken): TokenView {
  return { name, ...rest };
}

function hashOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

function argument(message: string): VmpulseError {
  return new VmpulseError('ERR_VMPULSE_ARGUMENT', message);
}
