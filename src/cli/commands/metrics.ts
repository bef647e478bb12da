import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { Option } from 'commander';
import { errorMessage, VmpulseError } from '../../model/errors.js';
import { plainText } from '../../model/plain-text.js';
import { type MetricFamily, parseExposition, writeExposition } from '../../runtime/metrics/exposition.js';
import { type Cli, type CliCommand, json, printError, withDaemon, writeRaw } from '../cli.js';
import type { DaemonClient } from '../client.js';
import { examples } from '../examples.js';
import { parseTime } from '../option-parsers.js';
import { needs } from '../option-rules.js';
import { metricsJson, metricsOfVms } from '../text/metrics-json.js';
import { untilInterrupted } from '../until-interrupted.js';

interface MetricsOptions {
  readonly format: 'prometheus' | 'json';
  readonly stream?: true;
  readonly endpoint?: string;
  readonly every?: number;
  readonly endpointTokenFile?: string;
}

/** How often they are sent, and how long one sending may take. */
const EVERY_MS = 15_000;

/** `vmpulse metrics [VM ...]`. */
export const metricsCommand: CliCommand = {
  register(program, cli) {
    const metrics = program
      .command('metrics')
      .summary('print the metrics, or send them to a monitoring system')
      .description(
        'Prints the metrics of the daemon, or those of some VMs. With --endpoint they are sent by Prometheus remote write instead, once or, with --stream, again and again.',
      )
      .argument('[vms...]', 'names or namespace/name; default everything')
      .addOption(
        new Option('--format <format>', 'how they are printed; not with --endpoint')
          .choices(['prometheus', 'json'])
          .default('prometheus')
          .conflicts('endpoint'),
      )
      .option('--endpoint <url>', 'send them there; without a path to /api/v1/write')
      .option('--stream', 'with --endpoint: send them again and again, until Ctrl-C')
      .option('--every <time>', 'with --stream: how often (default 15s)', parseTime)
      .option('--endpoint-token-file <path>', 'with --endpoint: a file with its bearer token')
      .addHelpText(
        'after',
        examples(
          ['vmpulse metrics', 'everything, as Prometheus reads it'],
          ['vmpulse metrics web-1 --format json > metrics.json', 'one VM, for a program'],
          [
            'vmpulse metrics --stream --endpoint http://monitoring:9090',
            'to a Prometheus that takes remote write',
          ],
        ),
      )
      .action((vms: string[], options: MetricsOptions, command) =>
        withDaemon(command, cli, (client) => run(client, cli, vms, options)),
      );
    needs(metrics, '--stream', '--endpoint');
    needs(metrics, '--every', '--stream');
    needs(metrics, '--endpoint-token-file', '--endpoint');
  },
};

async function run(
  client: DaemonClient,
  cli: Cli,
  vms: readonly string[],
  options: MetricsOptions,
): Promise<void> {
  const { endpoint, stream, format } = options;
  const read = async () => metricsOfVms(parseExposition(await client.text('/metrics')), vms);
  if (endpoint === undefined) {
    const families = await read();
    if (format === 'json') cli.stdout.write(json(metricsJson(families)));
    else writeRaw(cli, writeExposition(families));
    return;
  }
  const everyMs = options.every ?? EVERY_MS;
  if (!stream) return send(await read(), endpoint, options, { deadlineMs: everyMs });
  await untilInterrupted(async (signal) => {
    while (!signal.aborted) {
      const startedAt = performance.now();
      await read()
        .then((families) => send(families, endpoint, options, { deadlineMs: everyMs, signal }))
        .catch((error: unknown) => {
          if (!signal.aborted) printError(cli, error, false);
        });
      const restMs = Math.max(0, everyMs - (performance.now() - startedAt));
      await sleep(restMs, undefined, { signal }).catch(() => {});
    }
  });
}

async function send(
  families: readonly MetricFamily[],
  endpoint: string,
  { endpointTokenFile }: MetricsOptions,
  call: { readonly deadlineMs: number; readonly signal?: AbortSignal },
): Promise<void> {
  const { sendMetrics } = await import('../../runtime/metrics/push/send-metrics.js');
  const token = endpointTokenFile === undefined ? undefined : await tokenIn(endpointTokenFile);
  const labels = { job: 'vmpulse', instance: hostname() };
  await sendMetrics(
    { endpoint, token, labels, text: Buffer.from(writeExposition(families)), atMs: Date.now() },
    call,
  );
}

/** Read for each sending: it may be renewed meanwhile. */
async function tokenIn(path: string): Promise<string> {
  try {
    return (await readFile(path, 'utf8')).trim();
  } catch (error) {
    const text = `--endpoint-token-file ${plainText(path)} cannot be read: ${errorMessage(error)}`;
    throw new VmpulseError('ERR_VMPULSE_USAGE', text, { cause: error });
  }
}
