import { z } from 'zod';
import { VmpulseError } from '../model/errors.js';

/** An answer of an agent, which is untrusted, in the shape that is expected. Throws ERR_VMPULSE_CHANNEL. */
export function parseAnswer<T>(schema: z.ZodType<T>, answer: unknown): T {
  const result = schema.safeParse(answer);
  if (result.success) return result.data;
  throw new VmpulseError(
    'ERR_VMPULSE_CHANNEL',
    `the guest agent answered in another shape than expected: ${z.prettifyError(result.error).slice(0, 500)}`,
  );
}
