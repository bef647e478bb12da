import { VmpulseError } from '../model/errors.js';
import type { NetworkPort } from '../model/ports.js';
import { type Attempt, defineRecovery } from './recovery.js';

/** Makes the host's side of the VM's network as its document says. The guest is not touched. */
export const resetNetwork = defineRecovery({
  endsGuest: false,
  async prove(attempt) {
    requireNetwork(attempt);
    const problems = await requireNetwork(attempt).startProblems(attempt.vm);
    if (problems.length > 0) throw new VmpulseError('ERR_VMPULSE_NETWORK', problems.join('; '));
  },
  async act(attempt) {
    await requireNetwork(attempt).reset(attempt.vm, attempt.deadline.step());
  },
});

function requireNetwork({ network, vm }: Attempt): NetworkPort {
  if (network !== undefined) return network;
  throw new VmpulseError('ERR_VMPULSE_UNSUPPORTED', `nobody keeps the network of ${vm.id} on this host`);
}
