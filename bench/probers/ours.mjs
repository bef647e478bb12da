// vmpulse's engine, and Node's own clients.
import { startNodeProber } from './node-process.mjs';

export const vmpulse = engineProber('vmpulse', 'auto');
/** As if the kernel had no io_uring. */
export const vmpulseOnEpoll = engineProber('vmpulse, epoll alone', 'epoll');

function engineProber(peer, reactor) {
  const start = async (job) => {
    const { pid, figures, stop } = await startNodeProber('vmpulse.mjs', { ...job, reactor });
    return { pid, count: figures, stop };
  };
  return { peer, start };
}

export const nodeClients = {
  peer: 'Node net/undici',
  start: async (job) => {
    const { pid, figures, stop } = await startNodeProber('node-clients.mjs', job);
    return { pid, count: figures, stop };
  },
};
