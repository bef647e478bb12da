import { appendFileSync, renameSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { type ConsoleOptions, DEFAULT_TIMING } from '../../../src/model/probe.js';
import { WorkerPool } from '../../../src/pool/index.js';
import { lookOnce } from '../../../src/probes/external.js';
import { PROBE_KINDS } from '../../../src/probes/registry.js';
import { ManualClock } from '../../fakes/manual-clock.js';
import { testFolder } from '../../fixtures/folder.js';
import { vmSpec } from '../../fixtures/vm-spec.js';

const pool = new WorkerPool();
afterAll(() => pool.close());

const OK = { result: 'ok' };
const BAD = { result: 'failed', reason: 'bad-body' };

/** A console probe on a log of its own, on a clock that stands still unless moved. */
function watch(options: ConsoleOptions, before: string | null = '', vm: 'vm' | 'by hand' = 'vm') {
  const log = join(testFolder(), 'console.log');
  if (before !== null) writeFileSync(log, before);
  const clock = new ManualClock();
  const probe = PROBE_KINDS.console.open(
    { kind: 'console', console: options },
    {
      ...(vm === 'vm' ? { vm: vmSpec('web') } : {}),
      probe: 'console',
      timing: DEFAULT_TIMING,
      clock,
      consoleLog: log,
      runInPool: (worker, args, call) => pool.run(worker, args, call),
      runTogether: () => Promise.reject(new Error('not asked for')),
      resolveHost: () => Promise.reject(new Error('not asked for')),
    },
  );
  if (probe === undefined) throw new Error('a console is looked at outside the engine');
  return {
    log,
    clock,
    probe,
    write: (text: string) => appendFileSync(log, text),
    look: () => lookOnce(probe, { timeoutMs: 20_000, clock }),
  };
}

describe('what must not be on a console', () => {
  it('fails the probe from then on, until the next boot', async () => {
    const { write, look, probe } = watch({ notSeen: 'Kernel panic|BUG: soft lockup' });
    expect(await look()).toEqual({ outcome: OK, warnings: [] });
    write('[   12.3] booting\n[   13.1] Kernel panic - not syncing: \u001b[31mfatal\n[   13.2] rebooting\n');
    const failed = {
      outcome: BAD,
      message: 'the console says: [   13.1] Kernel panic - not syncing: \\u001b[31mfatal',
      warnings: [],
    };
    expect(await look()).toEqual(failed);
    write('[   14.0] still writing\n');
    expect(await look()).toEqual(failed);
    write('BUG: soft lockup, of the old boot and not read yet\n');
    probe.newInstance?.();
    expect(await look()).toEqual({ outcome: OK, warnings: [] });
  });

  it('is forgotten after a window', async () => {
    const { write, look, clock } = watch({ notSeen: 'panic', windowMs: 60_000 });
    await look();
    write('panic\n');
    expect((await look()).outcome).toEqual(BAD);
    await clock.advance(59_000);
    expect((await look()).outcome).toEqual(BAD);
    await clock.advance(1_000);
    expect((await look()).outcome).toEqual(OK);
  });

  it('does not count when an earlier boot may have written it', async () => {
    const { look } = watch({ notSeen: 'panic' }, 'Kernel panic\n');
    expect((await look()).outcome).toEqual(OK);
  });

  it('counts when somebody looks by hand', async () => {
    const { look } = watch({ notSeen: 'panic' }, 'Kernel panic\n', 'by hand');
    expect((await look()).outcome).toEqual(BAD);
  });

  it('is found in a line that does not end, in one cut in two, and behind long ones', async () => {
    const whole = watch({ notSeen: 'Kernel panic' });
    await whole.look();
    whole.write('Kernel pa');
    expect((await whole.look()).outcome).toEqual(OK);
    whole.write('nic, for good');
    expect((await whole.look()).outcome).toEqual(BAD);

    const long = watch({ notSeen: 'Kernel panic' });
    await long.look();
    long.write('x'.repeat(300_000));
    expect((await long.look()).outcome).toEqual(OK);
    long.write('\nKernel panic\n');
    expect((await long.look()).outcome).toEqual(BAD);
  });

  it('takes linear time to look for, whatever a guest writes against a bad pattern', async () => {
    const { write, look } = watch({ notSeen: '^(a+)+$|(x+x+)+y' });
    await look();
    write(`${'a'.repeat(4000)}!\n`.repeat(20) + 'x'.repeat(4000));
    expect((await look()).outcome).toEqual(OK);
  });
});

describe('what must be on a console', () => {
  it('fails the probe until it was seen in this boot', async () => {
    const { write, look, probe } = watch({ seen: ' login:$' });
    expect(await look()).toEqual({
      outcome: BAD,
      message: 'the console does not say  login:$',
      warnings: [],
    });
    write('booting\nweb-1 login:');
    expect((await look()).outcome).toEqual(OK);
    expect((await look()).outcome).toEqual(OK);
    probe.newInstance?.();
    expect((await look()).outcome).toEqual(BAD);
  });

  it('may have been written before vmpulse came', async () => {
    const { look } = watch({ seen: 'login:' }, 'web-1 login: \nsomething else\n');
    expect((await look()).outcome).toEqual(OK);
  });

  it('must come again within a window, where there is one', async () => {
    const { write, look, clock } = watch({ seen: 'tick', windowMs: 60_000 });
    expect((await look()).outcome).toEqual(OK);
    await clock.advance(59_000);
    write('tick\n');
    expect((await look()).outcome).toEqual(OK);
    await clock.advance(59_000);
    expect((await look()).outcome).toEqual(OK);
    await clock.advance(1_000);
    expect((await look()).outcome).toEqual(BAD);
  });
});

describe('a console', () => {
  it('that is silent for too long fails the probe until it speaks', async () => {
    const { write, look, clock } = watch({ silentAfterMs: 60_000 });
    await look();
    await clock.advance(59_000);
    write('.');
    expect((await look()).outcome).toEqual(OK);
    await clock.advance(60_000);
    expect(await look()).toEqual({
      outcome: { result: 'failed', reason: 'console-silent' },
      message: 'the console has been silent for 60 s',
    });
    write('.');
    expect((await look()).outcome).toEqual(OK);
  });

  it('may be cut, replaced, or begin to exist: what is new is read', async () => {
    const cut = watch({ notSeen: 'panic' }, `${'much\n'.repeat(100)}`);
    await cut.look();
    truncateSync(cut.log);
    cut.write('panic\n');
    expect((await cut.look()).outcome).toEqual(BAD);

    const rotated = watch({ notSeen: 'panic' });
    await rotated.look();
    renameSync(rotated.log, `${rotated.log}.1`);
    expect(await rotated.look()).toMatchObject({
      outcome: { result: 'inconclusive', reason: 'prober-resources' },
      message: expect.stringContaining('ENOENT'),
    });
    writeFileSync(rotated.log, 'booting\npanic\n');
    expect((await rotated.look()).outcome).toEqual(BAD);

    const none = watch({ notSeen: 'panic' }, null);
    expect((await none.look()).outcome).toMatchObject({ result: 'inconclusive' });
    writeFileSync(none.log, 'panic\n');
    expect((await none.look()).outcome).toEqual(BAD);
  });

  it('that is no regular file is not read', async () => {
    const { log, look } = watch({ notSeen: 'root' }, null);
    symlinkSync('/etc/passwd', log);
    expect((await look()).outcome).toEqual({ result: 'inconclusive', reason: 'prober-resources' });
  });

  it('that writes more than can be read is told, and its end is looked at', async () => {
    const { write, look } = watch({ notSeen: 'panic' });
    await look();
    write(`${'x'.repeat(99)}\n`.repeat(20_000));
    write('panic\n');
    expect(await look()).toMatchObject({
      outcome: BAD,
      warnings: [expect.stringMatching(/^9514\d\d bytes were written too fast/)],
    });
  });
});
