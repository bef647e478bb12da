import { VmpulseError } from '../model/errors.js';
import { LIMITS } from './defaults.js';

/** A value of stored text with the place it was found at; every reader checks, and throws ERR_VMPULSE_ARGUMENT. */
export class Field {
  readonly #value: unknown;
  readonly #path: string;

  constructor(value: unknown, path: string) {
    this.#value = value;
    this.#path = path;
  }

  fail(what: string): never {
    throw new VmpulseError(
      'ERR_VMPULSE_ARGUMENT',
      `stored policy state is damaged at ${this.#path}: ${what}; restore it from a backup, or remove it to begin anew without budgets and quarantines`,
    );
  }

  get(key: string): Field {
    const { object } = this;
    if (!this.has(key)) this.fail(`${key} is missing`);
    return new Field(object[key], `${this.#path}.${key}`);
  }

  has(key: string): boolean {
    return Object.hasOwn(this.object, key);
  }

  get object(): Readonly<Record<string, unknown>> {
    const value = this.#value;
    if (!isObject(value)) this.fail('not an object');
    return value;
  }

  string(maxChars = 4_096): string {
    if (typeof this.#value !== 'string') this.fail('not a text');
    if (this.#value.length > maxChars) this.fail(`longer than ${maxChars} characters`);
    return this.#value;
  }

  number(): number {
    if (typeof this.#value !== 'number' || !Number.isFinite(this.#value)) this.fail('not a number');
    return this.#value;
  }

  /** A count or a time in ms: not negative, and in the range that dates have. */
  whole(): number {
    const value = this.number();
    if (value < 0 || value > LIMITS.lastDateMs) this.fail('out of range');
    return value;
  }

  boolean(): boolean {
    if (typeof this.#value !== 'boolean') this.fail('neither true nor false');
    return this.#value;
  }

  oneOf<T extends string>(allowed: readonly T[]): T {
    const found = allowed.find((item) => item === this.#value);
    if (found === undefined) this.fail(`not one of ${allowed.join(', ')}`);
    return found;
  }

  list<T>(read: (item: Field) => T, max: number): T[] {
    const value = this.#value;
    if (!Array.isArray(value)) this.fail('not a list');
    if (value.length > max) this.fail(`more than ${max} items`);
    return value.map((item: unknown, i) => read(new Field(item, `${this.#path}[${i}]`)));
  }

  orNull<T>(read: (field: Field) => T): T | null {
    return this.#value === null ? null : read(this);
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
