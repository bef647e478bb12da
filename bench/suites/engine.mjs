import { figure, ratio } from '../report.mjs';

/** More failed probes than this share are told: the figure beside them is not that of healthy targets. */
const TOLD_SHARE = 0.001;

const PROBERS = [
  { name: 'tcp', job: 'probeWithEngine', kind: 'tcp' },
  { name: 'tcp, close: fin', job: 'probeWithEngine', kind: 'tcp-fin' },
  { name: 'http', job: 'probeWithEngine', kind: 'http' },
  { name: 'tcp by Node net.connect', job: 'connectWithNode' },
  { name: 'http by undici, new connections', job: 'getWithUndici' },
];

/** Native engine: registration, memory, CPU per probe beside Node's own clients at the same rate. */
export async function measureEngine(context) {
  const registration = await measureRegistration(context);
  const cpu = await measureProbers(context);
  const spread = await measureSpread(context);
  return {
    results: [...registration, ...cpu.results, ...spread.results],
    ratios: [...cpu.ratios, ...spread.ratios],
  };
}

async function measureRegistration({ run, longRounds, registered, probed, rate }) {
  const runs = [];
  for (let round = 0; round < longRounds; round++) {
    runs.push(await run('register', { targets: registered, probed, rate }));
  }
  const of = { kind: 'engine', targets: registered };
  const memory = (what, name, goals) =>
    [
      ['native', 'native memory', goals],
      ['rss', 'RSS growth', {}],
      ['heap', 'JavaScript heap', goals],
    ].map(([field, title]) =>
      figure(
        { ...of, name: `${title} a target, ${name}`, unit: 'B', goal: goals[field] },
        runs.map((run) => run[what][field]),
      ),
    );
  return [
    figure(
      { ...of, name: 'register targets', unit: 'ms', goal: '≤ 1000' },
      runs.map((run) => run.registerMs),
    ),
    ...memory('registered', 'registered', { native: '≤ 600', heap: '≤ 200' }),
    ...(probed ? memory('probed', 'probed once', { native: '≤ 600', heap: '≤ 200' }) : []),
  ];
}

/** Rounds go round the probers, so that what disturbs the machine for a while disturbs all of them. */
async function measureProbers({ run, rounds, targets, rate, measureMs }) {
  const runs = new Map(PROBERS.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const { name, job, kind } of PROBERS) {
      runs.get(name).push(await probe(run, name, job, { kind, targets, rate, measureMs }));
    }
  }
  const results = [];
  for (const [name, rounds] of runs) results.push(cpuFigure(name, targets, rounds));
  for (const name of ['tcp', 'http']) {
    const lateness = runs.get(name).map((run) => run.latenessMs.p99);
    const of = { kind: 'lateness', targets, rate };
    results.push(figure({ ...of, name: `${name}, start lateness p99`, unit: 'ms', goal: '≤ 5' }, lateness));
  }
  const [tcp, fin, http, node, undici] = results;
  const ratios = [
    ratio('CPU, tcp / Node net.connect', tcp, node, '≤ 0.35'),
    ratio('CPU, tcp close: fin / Node net.connect', fin, node),
    ratio('CPU, http / undici', http, undici),
  ];
  return { results, ratios };
}

/** The same rate over few and many targets. */
async function measureSpread({ run, longRounds, spread, rate, measureMs }) {
  if (spread.length === 0) return { results: [], ratios: [] };
  const runs = new Map(spread.map((targets) => [targets, []]));
  for (let round = 0; round < longRounds; round++) {
    for (const targets of spread) {
      const options = { kind: 'tcp', targets, rate, measureMs };
      runs.get(targets).push(await probe(run, `tcp over ${targets}`, 'probeWithEngine', options));
    }
  }
  const results = [...runs].map(([targets, rounds]) => cpuFigure('tcp, same rate', targets, rounds));
  const ratios = results
    .slice(1)
    .map((row) => ratio(`CPU, tcp over ${row.targets} / ${spread[0]} targets`, row, results[0], '0.85–1.15'));
  return { results, ratios };
}

async function probe(run, name, job, options) {
  const figures = await run(job, options);
  if (figures.failedShare > TOLD_SHARE) {
    process.stderr.write(`${name}: ${(100 * figures.failedShare).toFixed(1)} % of the probes were not ok\n`);
  }
  return figures;
}

function cpuFigure(name, targets, runs) {
  const rates = runs.map((run) => run.rate);
  const rate = Math.round(rates.reduce((sum, one) => sum + one, 0) / rates.length);
  const cpu = runs.map((run) => run.cpuUs);
  return figure({ kind: 'cpu', targets, rate, name: `CPU a probe, ${name}`, unit: 'µs' }, cpu);
}
