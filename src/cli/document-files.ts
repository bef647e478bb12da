import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { isMapping } from '../config/mapping.js';
import { errorMessage, VmpulseError } from '../model/errors.js';
import { plainText } from '../model/plain-text.js';

const DOCUMENT_NAME = /^[^.].*\.(ya?ml|json)$/;

/** The documents of files and directories (`*.yaml`, `*.yml`, `*.json`, not below them). Throws ERR_VMPULSE_USAGE. */
export function readDocumentFiles(paths: readonly string[]): { path: string; text: string }[] {
  return paths.flatMap((given) => {
    const path = resolve(given);
    try {
      if (!statSync(path).isDirectory()) return [{ path, text: readFileSync(path, 'utf8') }];
      const names = readdirSync(path)
        .filter((name) => DOCUMENT_NAME.test(name))
        .sort();
      if (names.length === 0) throw new Error('the directory has no *.yaml, *.yml or *.json');
      return names.map((name) => ({ path: join(path, name), text: readFileSync(join(path, name), 'utf8') }));
    } catch (error) {
      const text = `${plainText(given)} cannot be read: ${errorMessage(error)}`;
      throw new VmpulseError('ERR_VMPULSE_USAGE', text, { cause: error });
    }
  });
}

/** An object of JSON. Throws ERR_VMPULSE_USAGE. */
export function readJsonFile(path: string): object {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    const text = `${plainText(path)} cannot be read as JSON: ${plainText(errorMessage(error))}`;
    throw new VmpulseError('ERR_VMPULSE_USAGE', text, { cause: error });
  }
  if (isMapping(value)) return value;
  throw new VmpulseError('ERR_VMPULSE_USAGE', `${plainText(path)} has no object of JSON`);
}
