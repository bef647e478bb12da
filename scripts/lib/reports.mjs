/**
 * Reads the counts of test runs from what machines wrote for machines. Each reader throws when the report is
 * empty or not of its kind: a run that reports nothing has not passed.
 *
 * @typedef {{ passed: number, failed: number, skipped: number }} Counts
 */

/**
 * The JSON report of vitest.
 *
 * @param {string} text
 * @returns {Counts}
 */
export function readVitest(text) {
  const report = JSON.parse(text);
  const { numPassedTests: passed, numFailedTests, numPendingTests, numTodoTests, testResults } = report;
  if (![passed, numFailedTests, numPendingTests, numTodoTests].every(Number.isInteger)) {
    throw new Error('not a report of vitest');
  }
  // A file that cannot be loaded has no tests, and a hook that fails leaves its tests "skipped".
  const brokenFiles = testResults.filter(
    ({ status, assertionResults }) =>
      status === 'failed' && assertionResults.every((test) => test.status !== 'failed'),
  ).length;
  return counted({ passed, failed: numFailedTests + brokenFiles, skipped: numPendingTests + numTodoTests });
}

/**
 * The text of `cargo test`: one "test result" line for each test binary and for the documentation tests.
 *
 * @param {string} text
 * @returns {Counts}
 */
export function readCargo(text) {
  const sums = { passed: 0, failed: 0, skipped: 0 };
  for (const match of text.matchAll(/^test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored;/gm)) {
    sums.passed += Number(match[1]);
    sums.failed += Number(match[2]);
    sums.skipped += Number(match[3]);
  }
  return counted(sums);
}

/**
 * The JUnit file of ctest.
 *
 * @param {string} text
 * @returns {Counts}
 */
export function readCtest(text) {
  const suite = /<testsuite\b[^>]*>/.exec(text)?.[0];
  if (suite === undefined) throw new Error('not a JUnit report');
  const attribute = (name) => Number(new RegExp(`\\b${name}="(\\d+)"`).exec(suite)?.[1] ?? 0);
  const failed = attribute('failures');
  const skipped = attribute('skipped') + attribute('disabled');
  return counted({ passed: attribute('tests') - failed - skipped, failed, skipped });
}

/**
 * What scripts/fuzz.mjs writes: one entry a target.
 *
 * @param {string} text
 * @returns {Counts}
 */
export function readFuzz(text) {
  const { results } = JSON.parse(text);
  if (!Array.isArray(results)) throw new Error('not a report of the fuzz targets');
  const passed = results.filter(({ ok }) => ok === true).length;
  return counted({ passed, failed: results.length - passed, skipped: 0 });
}

/** What a chaos run wrote: every fault is a test, and so is every change that none permits, which has failed. */
export function readChaos(text) {
  const { results, falseActs, problem } = JSON.parse(text);
  if (!Array.isArray(results) || !Array.isArray(falseActs)) throw new Error('not a report of a chaos run');
  if (problem !== null) throw new Error(`the chaos run broke off: ${problem}`);
  const passed = results.filter(({ healed }) => healed === true).length;
  return counted({ passed, failed: results.length - passed + falseActs.length, skipped: 0 });
}

function counted(counts) {
  if (counts.passed + counts.failed + counts.skipped === 0) throw new Error('the report has no test');
  return counts;
}
