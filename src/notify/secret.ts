import { readFile } from 'node:fs/promises';
import { errnoOf } from '../model/errors.js';
import type { SecretPlace } from '../model/notification.js';
import { Undelivered } from './undelivered.js';

const MAX_SECRET_CHARS = 4096;

/** Reads a secret, without the end of its line. Rejects with Undelivered, which names its place only. */
export type ReadSecret = (place: SecretPlace) => Promise<string>;

/** `variable`: the value of a variable of the environment. */
export function secretReader(variable: (name: string) => string | undefined): ReadSecret {
  return async (place) => {
    const where = 'file' in place ? place.file : `the variable ${place.env}`;
    const text = 'file' in place ? await readText(place.file) : (variable(place.env) ?? '');
    const secret = text.trim();
    if (secret === '') throw new Undelivered(`there is no secret in ${where}`);
    if (secret.length > MAX_SECRET_CHARS || /[\r\n\0]/.test(secret))
      throw new Undelivered(`what is in ${where} is no secret of one line`);
    return secret;
  };
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new Undelivered(`${file} cannot be read: ${errnoOf(error) || 'unknown'}`);
  }
}
