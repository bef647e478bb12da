import { errorMessage } from '../model/errors.js';

/** Why nothing goes on any more, or undefined while all does; may throw when it cannot say. */
export type Stuck = () => string | undefined;

/** Says why as `stuck` does, and takes what it throws for a reason. */
export function whyStuck(stuck: Stuck): string | undefined {
  try {
    return stuck();
  } catch (error) {
    return errorMessage(error);
  }
}
