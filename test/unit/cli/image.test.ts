import { createHash } from 'node:crypto';
import { existsSync, writeFileSync } from 'node:fs';
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

  it('tells with --dry-run what it would pull, and makes nothing', async () => {
    const folder = testFolder();
    const source = join(folder, 'Debian-12.img');
    writeFileSync(source, CONTENT);
    const state = join(folder, 'state');
    const image = (...args: string[]) => runCommandLine(['image', ...args, '--state-dir', state]);
    const would = `would pull ${source} (raw, 512 bytes) as debian-12`;
    expect(await image('pull', source, '--dry-run')).toEqual({
      status: 0,
      stdout: `${would}\nnothing done (--dry-run)\n`,
      stderr: '',
    });
    expect(existsSync(state)).toBe(false);
    await image('pull', source);
    expect((await image('pull', source, '--dry-run')).stdout).toContain(
      `${would}, instead of sha256:${SHA256}\n`,
    );
    const url = 'https://example.org/d.qcow2';
    expect((await image('pull', url, '--dry-run', '--json')).stdout).toBe(
      `{"dryRun":true,"needsYes":false,"would":["pull ${url} as d"]}\n`,
    );
  });

  it.each([
    [['--image-format', 'qcow2'], /its content is no qcow2 image/],
    [['--max-size', '256'], /is larger than 256 bytes/],
    [['--name', 'A/b'], /is not the name of an image/],
  ])('refuses with --dry-run %j as it would without', async (args, message) => {
    const folder = testFolder();
    const source = join(folder, 'some.img');
    writeFileSync(source, CONTENT);
    const pull = ['image', 'pull', source, '--state-dir', folder, ...args];
    const told = await runCommandLine([...pull, '--dry-run']);
    expect(told).toMatchObject({ stdout: '', stderr: expect.stringMatching(message) });
    expect(told).toEqual(await runCommandLine(pull));
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
