import { describe, expect, it } from 'vitest';
import { runCommandLine } from './in-process.js';

const RECORD = ['simulate', '--record', 'x'];

/** None of these reaches a daemon: there is none. */
describe('an option that would do nothing is refused', () => {
  it.each([
    [['status', '--last', '1d'], '--last does nothing without --recovery-history or --recovery-log'],
    [['status', '--recovery-log', '--recovery-history'], "'--recovery-log' cannot be used with"],
    [['status', '--recovery-log', '--verbose'], "'--recovery-log' cannot be used with"],
    [['autopilot', 'status', '--all', '--check-now'], "'--check-now' cannot be used with"],
    [['vm', 'create', '-f', 'x', '--vcpus', '2'], 'cannot be used with option'],
    [['vm', 'create', '-f', 'x', '--reason', 'r'], '--reason is that of the start'],
    [['vm', 'create', 'x', '--append', 'quiet'], '--initrd and --append need --kernel'],
    [['vm', 'logs', 'x', '--vmm', '--console'], 'cannot be used with option'],
    [['vm', 'logs', 'x', '--vmm', '--commands'], 'cannot be used with option'],
    [['vm', 'console', 'x', '--timeout', '5s'], '--timeout does nothing without --command'],
    [['journal', 'list', '--last', '1h', '--from', '2026-01-01T00:00:00Z'], 'cannot be used with option'],
    [['recovery', 'log', '--last', '1h', '--from', '2026-01-01T00:00:00Z'], 'cannot be used with option'],
    [['apply', '--plan', 'x', '--prune'], '--prune does nothing without --filename'],
    [['image', 'list', '--config', 'x', '--state-dir', 'y'], 'cannot be used with option'],
    [['metrics', '--stream'], '--stream does nothing without --endpoint'],
    [['metrics', '--endpoint', 'http://127.0.0.1:1', '--format', 'json'], 'cannot be used with option'],
    [['bench', '--per-address', '3'], '--per-address does nothing without --target-list'],
    [['bench', '--target-list', 'x', '--targets', '3'], 'cannot be used with option'],
    [[...RECORD, '--seeds', '1'], 'cannot be used with option'],
    [[...RECORD, '--days', '3'], 'cannot be used with option'],
    [[...RECORD, '--verbose'], 'cannot be used with option'],
    [['status', '--ca', 'x'], '--token-file and --ca are of a daemon by HTTPS'],
    [['status', '--token-file', 'x'], '--token-file and --ca are of a daemon by HTTPS'],
  ])('%j', async (args, message) => {
    const told = await runCommandLine(args, { environment: { socketPath: '/nonexistent/socket' } });
    expect(told).toMatchObject({ status: 64, stdout: '', stderr: expect.stringContaining(message) });
    expect(told.stderr).toContain('ERR_VMPULSE_USAGE');
  });
});
