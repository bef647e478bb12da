import { isVmpulseError } from '../model/errors.js';
import { compileDaemonConfig, compileVms } from './compile-config.js';
import type { SourceFile } from './source-document.js';

/** What is wrong with documents taken by themselves, on a host that sets nothing; undefined: nothing. */
export function problemOfDocuments(file: SourceFile): string | undefined {
  const facts = { hostName: 'localhost', architecture: 'amd64' } as const;
  const { config } = compileDaemonConfig({ path: 'config.yaml', text: '' }, facts);
  try {
    compileVms([file], config, facts);
    return undefined;
  } catch (error) {
    if (isVmpulseError(error, 'ERR_VMPULSE_CONFIG')) return error.message;
    throw error;
  }
}
