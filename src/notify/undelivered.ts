/** A delivery that did not succeed. Its message has no secret in it. */
export class Undelivered extends Error {
  /** The same would be refused again. */
  readonly isFinal: boolean;
  /** Not before, ms; unset: as the sender likes. */
  readonly retryAfterMs: number | undefined;

  constructor(message: string, options: { isFinal?: boolean; retryAfterMs?: number | undefined } = {}) {
    super(message);
    this.name = 'Undelivered';
    this.isFinal = options.isFinal ?? false;
    this.retryAfterMs = options.retryAfterMs;
  }
}
