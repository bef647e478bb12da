import { Option } from 'commander';
import { isVmpulseError } from '../../model/errors.js';
import { given } from '../../model/given.js';
import { plainText } from '../../model/plain-text.js';
import { type ProbeFlags, withFlags } from '../../probes/flags.js';
import { findKind, KIND_ENTRIES } from '../../probes/registry.js';
import { type Cli, type CliCommand, globalOptions, paintOf, printError } from '../cli.js';
import { examples } from '../examples.js';
import { EXIT } from '../exit-codes.js';
import { type Format, type FormatOptions, formatOption, jsonOption, plain, show } from '../format.js';
import { oneMore, parseTime } from '../option-parsers.js';
import { probeJson, probeText } from '../text/probe-text.js';

interface ProbeOptions extends Omit<ProbeFlags, 'headers' | 'steps'>, FormatOptions {
  readonly header?: readonly string[];
  readonly step?: readonly string[];
  readonly timeout: number;
  readonly engine?: 'native' | 'portable';
}

const EXIT_OF = { ok: EXIT.ok, failed: EXIT.failed, inconclusive: EXIT.inconclusive } as const;

/** `vmpulse probe KIND TARGET`. */
export const probeCommand: CliCommand = {
  register(program, cli) {
    const kinds = KIND_ENTRIES.map(
      ({ kind, aliases, summary, targetHelp }) =>
        `  ${[kind, ...aliases].join(', ')}\n      ${summary}; TARGET: ${targetHelp}\n`,
    );
    program
      .command('probe')
      .summary('probe one target once')
      .description(
        'Probes one target once, without the daemon, and tells the outcome: exit status 0 ok, 1 failed, 2 inconclusive.',
      )
      .argument('<kind>', 'kind of probe, see below')
      .argument('<target>', 'URL, host:port, socket path or process, as the kind needs')
      .addOption(
        new Option('--timeout <time>', 'longest time for the probe')
          .argParser(parseTime)
          .default(1_000, '1s'),
      )
      .option(
        '--header <header>',
        "'Name: value', may be repeated; an empty value removes a default header",
        oneMore,
      )
      .option('--method <method>', 'HTTP method')
      .option('--host <name>', 'host of the request and of TLS, where it is not that of the target')
      .option(
        '--step <step>',
        "of an exchange, in their order: 'send:TEXT', 'expect:TEXT', 'regex:REGEX' or start-tls",
        oneMore,
      )
      .option('--tls', 'TLS from the start (other kinds than http)')
      .option('--verify', "verify the server's certificate")
      .option('--expect-status <ranges>', 'statuses that are ok, for example 200-299,404')
      .option('--expect-body <regex>', 'what the body must match')
      .addOption(new Option('--engine <engine>', 'engine to probe with').choices(['native', 'portable']))
      .addOption(formatOption())
      .addOption(jsonOption())
      .addHelpText('after', `\nKinds:\n${kinds.join('')}`)
      .addHelpText(
        'after',
        examples(
          ['vmpulse probe tcp 192.0.2.10:22', 'does the port answer?'],
          ['vmpulse probe http http://192.0.2.10/healthz --expect-status 200', 'exactly 200'],
          [
            `vmpulse probe https https://192.0.2.10/ --host www.example.org --verify`,
            'a name of its own, checked',
          ],
          [
            `vmpulse probe http http://192.0.2.10/ --header 'Accept:' --debug`,
            'without Accept, with the exchange',
          ],
          [
            "vmpulse probe exchange 192.0.2.10:6379 --step 'send:PING\\r\\n' --step 'expect:+PONG'",
            'a conversation',
          ],
          ['vmpulse probe grpc 192.0.2.10:50051/acme.Shop --tls', 'does the service serve?'],
          ['vmpulse probe qga /run/vmpulse/web-1/qga.sock --json', 'guest agent, for a program'],
        ),
      )
      .action(async (kind: string, target: string, options: ProbeOptions, command) => {
        const { timeout, engine, format, json: _short, header, step, ...rest } = options;
        const { debug = false } = globalOptions(command);
        await run(cli, {
          kind,
          target,
          timeoutMs: timeout,
          engine,
          format,
          debug,
          flags: {
            ...rest,
            ...given({ headers: header, steps: step }),
          },
        });
      });
  },
};

interface ProbeRequest {
  readonly kind: string;
  readonly target: string;
  readonly timeoutMs: number;
  readonly engine: 'native' | 'portable' | undefined;
  readonly format: Format;
  readonly debug: boolean;
  readonly flags: ProbeFlags;
}

async function run(cli: Cli, request: ProbeRequest): Promise<void> {
  const { kind, target, timeoutMs, debug } = request;
  const entry = findKind(kind);
  const parsed = withFlags(entry.parseTarget(target, kind), request.flags);
  try {
    const [{ ProbeEngine }, { probeTarget }] = await Promise.all([
      import('../../engine/index.js'),
      import('../probe-target.js'),
    ]);
    const engine = new ProbeEngine({
      ...given({ engine: request.engine }),
      onFallback: (error) =>
        cli.stderr.write(`vmpulse: the portable engine is used: ${plainText(error.message, 2000)}\n`),
    });
    try {
      const result = await probeTarget(engine, parsed, { timeoutMs, debug });
      if (result.debug !== undefined) cli.stderr.write(`${result.debug}\n`);
      const answer = plain(probeJson(entry.kind, target, result));
      await show(cli, request, answer, () => probeText(entry.label(parsed.check), result, paintOf(cli)));
      cli.setExitCode(EXIT_OF[result.outcome.result]);
    } finally {
      await engine.close();
    }
  } catch (error) {
    if (isVmpulseError(error, 'ERR_VMPULSE_USAGE')) throw error;
    // What could not be probed has not failed.
    printError(cli, error, debug);
    cli.setExitCode(EXIT.inconclusive);
  }
}
