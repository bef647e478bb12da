import { readFileSync, writeFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { AGENT } from '../scripts/lib/steps.mjs';
import { LAB_FILES } from './image/layout.mjs';
import { NewcArchive } from './image/newc.mjs';

/**
 * Writes an initrd of the lab with vmpulse's guest agent in it. Linux unpacks archives that follow one another.
 *
 * @param {string} path
 * @param {string} config vmpulse-agent.toml
 */
export function writeInitrdWithAgent(path, config) {
  const archive = new NewcArchive();
  archive.file('bin/vmpulse-agent', readFileSync(AGENT), 0o755);
  archive.file('etc/vmpulse-agent.toml', config, 0o600);
  const lab = readFileSync(LAB_FILES.initrd);
  // Each archive begins at a multiple of four.
  const padding = Buffer.alloc((4 - (lab.length % 4)) % 4);
  writeFileSync(path, Buffer.concat([lab, padding, gzipSync(archive.finish(), { level: 1 })]));
}
