import { execFile } from 'node:child_process';
import { chmodSync, existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { complete } from '../../../src/cli/complete.js';
import { describedProgram } from '../../../src/cli/program.js';
import { COMPLETION_SCRIPTS } from '../../../src/cli/text/completion-scripts.js';
import { testFolder } from '../../fixtures/folder.js';
import { vmView } from '../daemon/fake-runtime.js';
import { serve } from '../daemon/helpers.js';
import { runCommandLine } from './in-process.js';
import { MAIN } from './run-cli.js';

const program = await describedProgram();

async function values(...words: readonly string[]): Promise<string[]> {
  const vms = async () => ['web-1', 'lab/db'];
  const settings = async (vm?: string) => (vm === undefined ? ['probes.period'] : [`${vm}.recovery`]);
  const { candidates, files } = await complete(program, words, { vms, settings });
  return [...candidates.map(({ value }) => value), ...(files ? [':files'] : [])];
}

describe('candidates', () => {
  it('are commands and their subcommands', async () => {
    expect(await values('sta')).toEqual(['status']);
    expect(await values('vm', 're')).toEqual(
      expect.arrayContaining(['restart', 'reset', 'resume', 'release', 'recreate', 'resize']),
    );
    expect(await values('vm', 'maintenance', '')).toEqual(['begin', 'end', 'help']);
    expect(await values('no-such', '')).toEqual([]);
  });

  it('are options of the command and of the program', async () => {
    expect(await values('vm', 'stop', '--fo')).toEqual(['--force', '--format']);
    expect(await values('status', '--so')).toEqual(['--socket']);
    expect(await values('vm', 'exec', 'web-1', '--', '--fo')).toEqual([]);
  });

  it('are values where they are known, files where the shell knows them, and nothing else', async () => {
    expect(await values('status', '--format', '')).toEqual(['table', 'json', 'yaml']);
    expect(await values('vm', 'list', '--health-status', 'un')).toEqual(['unknown', 'unhealthy']);
    expect(await values('completion', 'z')).toEqual(['zsh']);
    expect(await values('run', '--config', '')).toEqual([':files']);
    expect(await values('apply', '-f', '')).toEqual([':files']);
    expect(await values('config', 'check', '')).toEqual([':files']);
    expect(await values('vm', 'stop', '--reason', '')).toEqual([]);
  });

  it('are what a list has not yet, behind its last comma', async () => {
    expect(await values('journal', 'list', '--type', 'op')).toEqual(['operator']);
    expect(await values('journal', 'list', '--class', 'timeout,re')).toContain('timeout,refused');
    expect(await values('journal', 'list', '--class', 'timeout,timeo')).toEqual([]);
  });

  it('are the settings of the daemon, or of the VM that is named', async () => {
    for (const verb of ['set', 'get', 'unset'])
      expect(await values('config', verb, '')).toEqual(['probes.period']);
    expect(await values('config', 'set', '--vm', 'db', '')).toEqual(['db.recovery']);
    expect(await values('config', 'set', 'probes.period', '')).toEqual([]);
  });

  it('are VMs wherever one may stand', async () => {
    for (const before of [
      ['status'],
      ['explain'],
      ['vm', 'stop', 'web-1'],
      ['vm', 'stop', '--force'],
      ['vm', 'schedule', 'reboot'],
      ['recovery', 'hold', '--vm'],
    ])
      expect(await values(...before, '')).toEqual(['web-1', 'lab/db']);
    expect(await values('explain', 'web-1', '')).toEqual([]);
  });
});

describe('what the scripts are told', () => {
  it('names VMs, with their namespace where they share a name, and nothing that a shell could take amiss', async () => {
    const { socket, runtime } = await serve();
    runtime.vms = [
      vmView('a/web'),
      vmView('b/web'),
      vmView('a/db'),
      vmView('a/$(reboot)'),
      vmView('a/x y\u001b[2J'),
    ];
    const { stdout, status } = await runCommandLine(['__complete', '--', 'explain', ''], {
      environment: { socketPath: socket },
    });
    expect({
      status,
      names: stdout
        .trim()
        .split('\n')
        .map((line) => line.trim()),
    }).toEqual({
      status: 0,
      names: ['db', 'a/web', 'b/web', 'a/db'],
    });
  });

  it('is nothing where no daemon answers', async () => {
    expect(await runCommandLine(['__complete', '--', '--socket', '/nonexistent', 'explain', ''])).toEqual({
      status: 0,
      stdout: '',
      stderr: '',
    });
  });
});

const run = promisify(execFile);

/** A shell with a vmpulse in its PATH, whose daemon has two VMs. */
async function shell(name: string, script: string): Promise<string[]> {
  const { socket } = await serve();
  const dir = testFolder();
  const program = join(dir, 'vmpulse');
  writeFileSync(program, `#!/bin/sh\nexec ${process.execPath} ${MAIN} "$@"\n`);
  chmodSync(program, 0o755);
  const file = join(dir, 'completion');
  writeFileSync(file, COMPLETION_SCRIPTS[name === 'bash' || name === 'zsh' ? name : 'fish']);
  const env = {
    ...process.env,
    PATH: `${dir}:${process.env.PATH}`,
    VMPULSE_SOCKET: socket,
    HOME: dir,
    SCRIPT: file,
  };
  const options = name === 'bash' ? ['--norc', '-c'] : name === 'zsh' ? ['-f', '-c'] : ['--no-config', '-c'];
  const { stdout } = await run(name, [...options, script], { env, cwd: dir, timeout: 120_000 });
  return stdout.split('\n').filter((line) => line !== '');
}

const installed = (name: string) => ['/bin', '/usr/bin'].some((dir) => existsSync(join(dir, name)));
const left = (name: string) => (installed(name) ? '' : ` (left out: there is no ${name} here)`);

describe.runIf(installed('bash'))(`bash${left('bash')}`, { timeout: 180_000 }, () => {
  const press = (...words: readonly string[]) =>
    shell(
      'bash',
      `source "$SCRIPT"; COMP_WORDS=(vmpulse ${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length}; _vmpulse; printf '%s\\n' "\${COMPREPLY[@]}"`,
    );

  it('completes commands, options, values and VMs', async () => {
    expect(await press('vm', 'sto')).toEqual(['stop']);
    expect(await press('vm', 'stop', '--for')).toEqual(['--force', '--format']);
    expect(await press('status', '--format', 'j')).toEqual(['json']);
    expect(await press('explain', 'lab')).toEqual(['lab/db']);
    expect(await press('vm', 'stop', '')).toEqual(['web-1', 'db', 'default/web-1', 'lab/db']);
  });
});

describe.runIf(installed('zsh'))(`zsh${left('zsh')}`, { timeout: 180_000 }, () => {
  const press = (...words: readonly string[]) =>
    shell(
      'zsh',
      `compdef() {}; _describe() { print -rl -- "\${items[@]}" }; source "$SCRIPT"; words=(vmpulse ${words.map((word) => `'${word}'`).join(' ')}); CURRENT=${words.length + 1}; _vmpulse`,
    );

  it('completes commands with what they do, and VMs', async () => {
    expect(await press('vm', 'sto')).toEqual([expect.stringMatching(/^stop:Stops VMs/)]);
    expect(await press('explain', 'lab')).toEqual(['lab/db:']);
  });
});

describe.runIf(installed('fish'))(`fish${left('fish')}`, { timeout: 180_000 }, () => {
  it('completes commands with what they do, and VMs', async () => {
    const press = (line: string) => shell('fish', `source $SCRIPT; complete -C '${line}'`);
    expect(await press('vmpulse vm sto')).toEqual([expect.stringMatching(/^stop\tStops VMs/)]);
    expect(await press('vmpulse explain lab')).toEqual(['lab/db']);
  });
});
