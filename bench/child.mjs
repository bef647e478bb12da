// Runs one job in a process of its own, so that CPU time, memory and garbage are the job's alone.
import { jobs } from './jobs/index.mjs';

// The parent is gone: nobody wants the answer.
process.once('disconnect', () => process.exit());
process.once('message', async ({ job, options }) => {
  try {
    process.send({ result: await jobs[job](options) });
  } catch (error) {
    process.send({ error: error instanceof Error ? error.stack : String(error) });
  }
  process.disconnect();
});
