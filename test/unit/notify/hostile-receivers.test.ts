import { describe, expect, it } from 'vitest';
import { postJson } from '../../../src/notify/post-json.js';
import { sendMetrics } from '../../../src/runtime/metrics/push/send-metrics.js';
import { HOSTILE_ANSWERS, serveHostile } from '../../fakes/hostile-http.js';

/** What a receiver that answers so makes of a message. An error that nobody catches fails the run. */
describe.each(HOSTILE_ANSWERS)('a receiver that answers with $name', (hostile) => {
  it('neither ends nor stops whoever posts JSON to it: notifications and the report', async () => {
    const url = await serveHostile(hostile);
    const body = { text: 'a'.repeat(50_000) };
    const sent = postJson({ url, body, headers: {}, signal: AbortSignal.timeout(15_000) });
    if (hostile.means === 'taken') return expect(sent).resolves.toBeUndefined();
    const refused = { isFinal: hostile.means === 'refused' };
    return expect(sent).rejects.toMatchObject({ ...refused, message: expect.stringContaining(url) });
  });

  it('neither ends nor stops whoever sends metrics to it', async () => {
    const endpoint = await serveHostile(hostile);
    const task = { endpoint, labels: {}, text: Buffer.from('vmpulse_up 1\n'), atMs: Date.now() };
    // What is broken is tried again while there is time, of which there is a little.
    const sent = sendMetrics(task, { deadlineMs: hostile.means === 'broken' ? 300 : 15_000 });
    if (hostile.means === 'taken') return expect(sent).resolves.toBeUndefined();
    const code = hostile.means === 'refused' ? 'ERR_VMPULSE_COMMAND' : 'ERR_VMPULSE_TIMEOUT';
    return expect(sent).rejects.toMatchObject({ code });
  });
});
