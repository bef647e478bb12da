import { describe, it } from 'vitest';
import { PROPERTIES } from './properties.js';

describe('whatever happens, the policy', () => {
  it.each(PROPERTIES)('$name', ({ check }) => check());
});
