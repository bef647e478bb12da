import type { LadderStep } from '../model/action.js';
import { VmpulseError } from '../model/errors.js';
import { plainText } from '../model/plain-text.js';
import type { RecoverySpec } from '../model/vm.js';
import { defineRecovery, type Recovery, requireSession } from './recovery.js';

const MAX_OUTPUT_CHARS = 300;

/** A step that runs a configured command in the guest, through its agent. */
export function guestCommand(step: LadderStep, option: 'restartService' | 'exec' | 'cleanup'): Recovery {
  const commandOf = (recovery: RecoverySpec) => recovery[option] ?? [];
  return defineRecovery({
    endsGuest: false,
    async prove(attempt) {
      requireSession(attempt);
      const { vm, driver } = attempt;
      if (commandOf(vm.recovery).length > 0 && driver.supports(vm, step)) return;
      const text = `${vm.id} has no recovery.${option}, or no guest agent to run it`;
      throw new VmpulseError('ERR_VMPULSE_UNSUPPORTED', text);
    },
    async act(attempt) {
      const command = commandOf(attempt.vm.recovery);
      const { exitCode, stdout, stderr } = await requireSession(attempt).exec(
        command,
        attempt.deadline.step(),
      );
      if (exitCode === 0) return;
      const output = plainText((stderr || stdout).trim(), MAX_OUTPUT_CHARS);
      const text = `${command.join(' ')} ended with status ${exitCode} in the guest: ${output || 'no output'}`;
      throw new VmpulseError('ERR_VMPULSE_COMMAND', text, { details: { exitCode } });
    },
  });
}
