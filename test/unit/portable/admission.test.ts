import { expect, it } from 'vitest';
import { Admission } from '../../../src/engine/portable/admission.js';

/** A turn of the loop, in which admission starts what may. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
}

function request(
  admission: Admission,
  started: number[],
  token: number,
  destination?: string,
  first = false,
) {
  admission.request({ destination, start: () => started.push(token) }, first);
}

it('a full destination does not hold up the others', async () => {
  const admission = new Admission(10, 2);
  const started: number[] = [];
  for (let token = 0; token < 5; token += 1) request(admission, started, token, 'a');
  request(admission, started, 9, 'b');
  await turn();
  expect(started.splice(0)).toEqual([0, 1, 9]);
  admission.release('a');
  request(admission, started, 10, 'b');
  await turn();
  expect(started).toEqual([2, 10]);
  expect(admission.inFlight).toBe(4);
});

it('the total is bounded, and all get their turn', async () => {
  const admission = new Admission(3, 2);
  const started: number[] = [];
  let atOnce = 0;
  for (let token = 0; token < 100; token += 1) {
    const destination = token % 2 === 0 ? 'a' : undefined;
    admission.request({
      destination,
      start: () => {
        started.push(token);
        atOnce = Math.max(atOnce, admission.inFlight);
        setImmediate(() => admission.release(destination));
      },
    });
  }
  while (started.length < 100) await turn();
  expect(atOnce).toBeLessThanOrEqual(3);
  expect([...started].sort((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, token) => token));
  await turn();
  expect(admission.inFlight).toBe(0);
});

it('who is waited for goes first', async () => {
  const admission = new Admission(1, 1);
  const started: number[] = [];
  request(admission, started, 1);
  await turn();
  request(admission, started, 2);
  request(admission, started, 3, undefined, true);
  admission.release(undefined);
  await turn();
  expect(started).toEqual([1, 3]);
});

it('starts nothing after close()', async () => {
  const admission = new Admission(1, 1);
  const started: number[] = [];
  request(admission, started, 1);
  admission.close();
  await turn();
  expect(started).toEqual([]);
});
