import { expect, it } from 'vitest';
import { given } from '../../../src/model/given.js';

it('leaves out what is undefined, and only that', () => {
  const fields = { name: 'a', size: undefined, none: null, zero: 0, no: false, empty: '' };
  const said = given(fields);
  expect(Object.keys(said)).toEqual(['name', 'none', 'zero', 'no', 'empty']);
  expect(Object.keys(fields)).toContain('size');
});
