import { loadNativeModule } from '../../../src/engine/native-module.js';
import { errorMessage } from '../../../src/model/errors.js';

/** Why the engine addon does not load; undefined: it does. */
export function whyNoAddon(): string | undefined {
  try {
    loadNativeModule();
    return undefined;
  } catch (error) {
    return errorMessage(error);
  }
}
