import { probeWithEngine, register } from './engine.mjs';
import { connectWithNode, getWithUndici } from './node.mjs';
import { policyOutage, policySteps } from './policy.mjs';
import { outage, reactions } from './supervisor.mjs';

/** Every job: options in, plain figures out. */
export const jobs = {
  policySteps,
  policyOutage,
  register,
  probeWithEngine,
  connectWithNode,
  getWithUndici,
  reactions,
  outage,
};
