import { VmpulseError } from '../model/errors.js';
import { plainText } from '../model/plain-text.js';
import { defineRecovery, requireSession } from './recovery.js';

const MAX_OUTPUT_CHARS = 300;

/** Runs the configured command in the guest, through its agent. */
export const restartService = defineRecovery({
  endsGuest: false,
  async prove(attempt) {
    requireSession(attempt);
    if (attempt.driver.supports(attempt.vm, 'restart-service')) return;
    const text = `${attempt.vm.id} has no recovery.restartService, or no guest agent to run it`;
    throw new VmpulseError('ERR_VMPULSE_UNSUPPORTED', text);
  },
  async act(attempt) {
    const command = attempt.vm.recovery.restartService ?? [];
    const { exitCode, stdout, stderr } = await requireSession(attempt).exec(command, attempt.deadline.step());
    if (exitCode === 0) return;
    const output = plainText((stderr || stdout).trim(), MAX_OUTPUT_CHARS);
    const text = `${command.join(' ')} ended with status ${exitCode} in the guest: ${output || 'no output'}`;
    throw new VmpulseError('ERR_VMPULSE_COMMAND', text, { details: { exitCode } });
  },
});
