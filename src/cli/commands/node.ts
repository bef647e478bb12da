import { readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import type { z } from 'zod';
import { hostAnswer } from '../../daemon/answers/status.js';
import { type CliCommand, withDaemon } from '../cli.js';
import { examples } from '../examples.js';
import { asCame, type FormatOptions, formatOption, jsonOption, show } from '../format.js';
import { table } from '../text/table.js';
import { span } from '../text/time.js';

interface NodeLine {
  readonly name: string;
  readonly address: string;
  readonly version: string;
  readonly startedAtMs: number;
  readonly vms: number;
  readonly health: Readonly<Record<string, number>>;
}

/** `vmpulse node list`. */
export const nodeCommand: CliCommand = {
  register(program, cli) {
    const node = program
      .command('node')
      .summary('the hosts whose VMs are watched')
      .description('The hosts whose VMs are watched: each daemon watches those of its own.')
      .addHelpText('after', examples(['vmpulse node list', 'this host, and how its VMs are']));
    node
      .command('list')
      .description('Lists this host with the number of its VMs by health.')
      .addOption(formatOption())
      .addOption(jsonOption())
      .addHelpText(
        'after',
        examples(["vmpulse node list --format json | jq -r '.nodes[].address'", 'its address, for ssh']),
      )
      .action((options: FormatOptions, command) =>
        withDaemon(command, cli, async (client) => {
          const { data, shown } = await client.get('/v1/status', asCame(hostAnswer));
          const answer = { data: { nodes: [nodeOf(data)] }, shown: [nodeOf(shown)] };
          await show(cli, options, answer, (nodes) => nodesText(nodes, Date.now()));
        }),
      );
  },
};

function nodeOf({ host, version, startedAtMs, vms }: z.input<typeof hostAnswer>): NodeLine {
  const health: Record<string, number> = {};
  for (const vm of vms) health[vm.health] = (health[vm.health] ?? 0) + 1;
  return { name: host, address: ownAddress(), version, startedAtMs, vms: vms.length, health };
}

/** The address by which this host is reached, and the daemon with it, for its socket is here. */
function ownAddress(): string {
  const interfaces = networkInterfaces();
  // A bridge of VMs has an address, too.
  const outward = interfaces[deviceOfDefaultRoute() ?? ''] ?? [];
  const all = Object.values(interfaces).flatMap((addresses) => addresses ?? []);
  const reached = [...outward, ...all].filter(({ internal }) => !internal);
  const found = reached.find(({ family }) => family === 'IPv4') ?? reached[0];
  return found?.address ?? '127.0.0.1';
}

function deviceOfDefaultRoute(): string | undefined {
  try {
    // The second column is the destination, in hex.
    return /^(\S+)\t0{8}\t/m.exec(readFileSync('/proc/net/route', 'utf8'))?.[1];
  } catch {
    return undefined;
  }
}

function nodesText(nodes: readonly NodeLine[], nowMs: number): string {
  const rows = nodes.map(({ name, address, version, startedAtMs, vms, health }) => [
    name,
    address,
    version,
    span(nowMs - startedAtMs),
    String(vms),
    Object.entries(health)
      .map(([state, count]) => `${count} ${state}`)
      .join(', ') || '-',
  ]);
  return table(['NODE', 'ADDRESS', 'VERSION', 'UP', 'VMS', 'HEALTH'], rows);
}
