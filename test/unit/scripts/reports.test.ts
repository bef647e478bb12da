import { describe, expect, it } from 'vitest';
import { readCargo, readCtest, readFuzz, readVitest } from '../../../scripts/lib/reports.mjs';

function vitestReport(over: object): string {
  const counts = { numPassedTests: 3, numFailedTests: 0, numPendingTests: 1, numTodoTests: 0 };
  return JSON.stringify({ ...counts, testResults: [], ...over });
}

describe('readVitest', () => {
  it('counts passed, failed and skipped tests', () => {
    expect(readVitest(vitestReport({ numFailedTests: 2, numTodoTests: 4 }))).toEqual({
      passed: 3,
      failed: 2,
      skipped: 5,
    });
  });

  it('counts a file that could not be loaded as a failure', () => {
    const testResults = [
      { status: 'failed', assertionResults: [] },
      { status: 'passed', assertionResults: [{ status: 'passed' }] },
    ];
    expect(readVitest(vitestReport({ testResults })).failed).toBe(1);
  });

  it('refuses a report without tests, of another kind, or cut off', () => {
    expect(() => readVitest(vitestReport({ numPassedTests: 0, numPendingTests: 0 }))).toThrow('no test');
    expect(() => readVitest('{}')).toThrow('not a report of vitest');
    expect(() => readVitest('{"numPassedTests":')).toThrow();
  });
});

describe('readCargo', () => {
  it('sums the lines of all test binaries', () => {
    const text = [
      'running 3 tests',
      'test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s',
      'test result: FAILED. 1 passed; 2 failed; 4 ignored; 0 measured; 0 filtered out; finished in 0.01s',
    ].join('\n');
    expect(readCargo(text)).toEqual({ passed: 4, failed: 2, skipped: 4 });
  });

  it('refuses output without a result, as of a build that failed', () => {
    expect(() => readCargo('error: could not compile `vmpulse`')).toThrow('no test');
  });
});

describe('readCtest', () => {
  it('counts from the attributes of the suite', () => {
    const text =
      '<?xml version="1.0"?>\n<testsuite name="x" tests="9"\n failures="1" disabled="1" skipped="2" hostname="">\n</testsuite>';
    expect(readCtest(text)).toEqual({ passed: 5, failed: 1, skipped: 3 });
  });

  it('refuses an empty suite and another file', () => {
    expect(() => readCtest('<testsuite tests="0" failures="0">')).toThrow('no test');
    expect(() => readCtest('Errors while running CTest')).toThrow('JUnit');
  });
});

describe('readFuzz', () => {
  it('counts targets', () => {
    const results = [{ ok: true }, { ok: false }, { ok: true }];
    expect(readFuzz(JSON.stringify({ results }))).toEqual({ passed: 2, failed: 1, skipped: 0 });
  });

  it('refuses what holds none', () => {
    expect(() => readFuzz('{"results":[]}')).toThrow('no test');
    expect(() => readFuzz('{}')).toThrow('not a report');
  });
});
