import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { testFolder } from '../../fixtures/folder.js';
import { runCommandLine } from './in-process.js';

const CONTENT = Buffer.alloc(512, 'an image');
const SHA256 = createHash('sha256').update(CONTENT).digest('hex');

describe('vmpulse image', () => {
  it('pulls, lists and verifies in the state directory of a configuration', async () => {
    const folder = testFolder();
    const config = join(folder, 'config.yaml');
    writeFileSync(config, `stateDir: ${folder}/state\n`);
    const source = join(folder, 'Debian-12.img');
    writeFileSync(source, CONTENT);
    const image = (...args: string[]) => runCommandLine(['image', ...args, '--config', config]);
    expect(await image('list')).toMatchObject({ stdout: 'no images; vmpulse image pull brings one\n' });
    expect(await image('pull', source, '--checksum', `sha256:${SHA256}`)).toMatchObject({
      status: 0,
      stdout: `debian-12: sha256:${SHA256}\n`,
    });
    expect((await image('list')).stdout).toMatch(/^NAME .*\ndebian-12 +raw +1 MiB +[0-9a-f]{12} /);
    expect(JSON.parse((await image('list', '--json')).stdout)).toMatchObject({ images: [{ bytes: 512 }] });
    expect(await image('verify')).toMatchObject({ status: 0, stdout: 'debian-12: as it was pulled\n' });
    expect(await image('verify', 'other')).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('there is no image other'),
    });
  });

  it.each([
    [['--checksum', 'sha256:1'], 'is not a checksum'],
    [['--max-size', 'much'], "argument 'much' is invalid. It is no amount"],
    [['--timeout', 'soon'], "argument 'soon' is invalid. It is no time"],
    [['--image-format', 'vmdk'], 'Allowed choices are raw, qcow2'],
    [['--name', 'A/b'], 'is not the name of an image'],
  ])('refuses %j', async (args, message) => {
    const folder = testFolder();
    const told = await runCommandLine(['image', 'pull', '/none', '--state-dir', folder, ...args]);
    expect(told.status).not.toBe(0);
    expect(told.stderr).toContain(message);
  });
});
