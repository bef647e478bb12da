// vmpulse's engine, and Node's own clients.
import { startNodeProber } from './node-process.mjs';

export const vmpulse = {
  peer: 'vmpulse',
  start: async (job) => {
    const { pid, figures, stop } = await startNodeProber('vmpulse.mjs', job);
    return { pid, count: figures, stop };
  },
};

export const nodeClients = {
  peer: 'Node net/undici',
  start: async (job) => {
    const { pid, figures, stop } = await startNodeProber('node-clients.mjs', job);
    return { pid, count: figures, stop };
  },
};
