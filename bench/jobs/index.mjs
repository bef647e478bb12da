import { register } from './engine.mjs';
import { mainThread } from './main-thread.mjs';
import { policyOutage, policySteps } from './policy.mjs';
import { scrapes } from './scrape.mjs';
import { signals } from './signals.mjs';
import { starvation } from './starvation.mjs';
import { outage, reactions } from './supervisor.mjs';

/** Every job: options in, plain figures out. */
export const jobs = {
  ...{ policySteps, policyOutage, register, starvation, mainThread },
  ...{ scrapes, signals, reactions, outage },
};
