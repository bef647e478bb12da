import { describe, expect, it } from 'vitest';
import { VmpulseError } from '../../../src/model/errors.js';
import { Guests } from '../../../src/runtime/guests.js';
import { RecordingDriver } from '../../fakes/recording-driver.js';
import { vmSpec } from '../../fixtures/vm-spec.js';

const web = vmSpec('web');
const CALL = { deadlineMs: 5_000 };
const command = { vm: web.id, argv: ['uptime'], author: 'ann@1000', ...CALL };

async function running() {
  const driver = new RecordingDriver(() => 0);
  const session = await driver.attach(web, await driver.start(web));
  const notes: string[] = [];
  const recorder = {
    durable: async () => {},
    note: ({ text }: { readonly text: string }) => void notes.push(text),
  };
  return { driver, session, notes, recorder, guests: new Guests(() => ({ session }), recorder) };
}

describe('a guest that persons ask something', () => {
  it.each([
    ['paused', 'paused by a person or a tool', '; vmpulse vm resume test/web'],
    ['guest-panicked', 'its kernel panicked', '; vmpulse vm reset test/web'],
    ['io-error', 'a disk gave an error', '; vmpulse vm resume test/web'],
    ['internal-error', 'its VMM met an error that it cannot go on after', '; vmpulse vm reset test/web'],
    ['save-vm', 'being saved', ''],
  ])('is not waited for while it is %s: what lets it run is told', async (status, why, remedy) => {
    const { driver, guests } = await running();
    driver.statuses.set(web.id, status);
    const refused = {
      code: 'ERR_VMPULSE_VM_NOT_RUNNING',
      message: `the guest of test/web stands still (${status}: ${why}) and can answer nothing${remedy}`,
    };
    await expect(guests.exec(command)).rejects.toMatchObject(refused);
    await expect(guests.stats(web.id, CALL)).rejects.toMatchObject(refused);
    expect(driver.calls).not.toContain('exec uptime test/web');
  });

  it('is asked while nobody can say how it is', async () => {
    const { driver, session, guests } = await running();
    session.status = () => Promise.reject(new VmpulseError('ERR_VMPULSE_TIMEOUT', 'late'));
    await guests.exec(command);
    expect(driver.calls).toContain('exec uptime test/web');
  });

  it('runs nothing once the time is over that a slow disk took, and that is on record', async () => {
    const { driver, guests, notes, recorder } = await running();
    recorder.durable = () => new Promise(() => {});
    await expect(guests.exec({ ...command, deadlineMs: 50 })).rejects.toMatchObject({
      code: 'ERR_VMPULSE_TIMEOUT',
    });
    expect(driver.calls).not.toContain('exec uptime test/web');
    expect(notes).toEqual([expect.stringMatching(/ann@1000 in the guest did not end well: .*deadline/)]);
  });

  it('is on record also where it could not be given more memory', async () => {
    const { session, guests, notes } = await running();
    session.resizeMemory = () => Promise.reject(new VmpulseError('ERR_VMPULSE_UNSUPPORTED', 'no room'));
    await expect(guests.resize(web.id, { mib: 128, relative: true }, 'ann@1000', CALL)).rejects.toThrow(
      'no room',
    );
    expect(notes).toEqual(['test/web was not resized: no room']);
  });
});
