// The whole runtime in steady state, and starved.
import { figure } from '../report.mjs';

/** The main thread's share of a core; what scrapes take; and what a starved engine gets wrong. */
export async function measureRuntime({ run, longRounds, thread, scraped, starved, say }) {
  const threads = [];
  for (let round = 0; round < longRounds; round++) {
    say(`main thread of ${thread.vms} VMs (${round + 1}/${longRounds})`);
    threads.push(await run('mainThread', thread));
  }
  say(`scrapes of ${scraped.vms} VMs`);
  const scrapeFigures = scrapeRows(await run('scrapes', scraped), scraped.vms);
  say('starvation');
  const { healthyFailed, silentMissed } = await run('starvation', starved);
  const of = { kind: 'runtime', targets: 2 * thread.vms };
  const row = (name, field, unit) =>
    figure(
      { ...of, name, unit },
      threads.map((one) => one[field]),
    );
  return [
    row('main thread, share of a core', 'share', ''),
    row('probes a second of that', 'probesPerSecond', '1/s'),
    row('failed probes a second of that', 'failuresPerSecond', '1/s'),
    ...scrapeFigures,
    figure({ name: 'starved, healthy targets failed', kind: 'starved', targets: starved.targets, unit: '' }, [
      healthyFailed,
    ]),
    figure(
      { name: 'starved, silent targets not failed', kind: 'starved', targets: starved.targets, unit: '' },
      [silentMissed],
    ),
  ];
}

function scrapeRows(found, vms) {
  const row = (name, unit, ...samples) => figure({ kind: 'scrape', targets: vms, name, unit }, samples);
  return [
    row('scrape, the first one', 'ms', found.firstMs),
    row('scrape, main thread', 'ms', ...found.mainMs),
    row('scrape', 'ms', ...found.plainMs),
    row('scrape, compressed', 'ms', ...found.zippedMs),
    row('bytes of a scrape', 'B', found.plainBytes),
    row('bytes of a scrape, compressed', 'B', found.zippedBytes),
    row('event loop delay in scrapes, p99', 'ms', found.delayP99Ms),
    row('event loop delay in scrapes, longest', 'ms', found.delayMaxMs),
  ];
}
