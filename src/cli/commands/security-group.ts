import { Argument, type Command, InvalidArgumentError } from 'commander';
import { groupsAnswer } from '../../daemon/answers/network.js';
import { VmpulseError } from '../../model/errors.js';
import { plainText } from '../../model/plain-text.js';
import { type ChangeOptions, dryRunOption, goesOn } from '../changes.js';
import { author, type Cli, type CliCommand, withDaemon } from '../cli.js';
import { examples } from '../examples.js';
import { asCame, type FormatOptions, formatOption, jsonOption, show } from '../format.js';
import { vmId } from '../selectors.js';
import { groupsText } from '../text/network-text.js';

interface VmOption {
  readonly vm?: string | undefined;
}

interface GroupOptions extends VmOption, ChangeOptions {}

interface RuleOptions extends GroupOptions {
  readonly sourceCidr?: string;
  readonly port?: { readonly port: number; readonly toPort?: number };
  readonly protocol?: string;
  readonly comment?: string;
}

/** `vmpulse security-group list|add-rule|remove-rule|policy`. */
export const securityGroupCommand: CliCommand = {
  register(program, cli) {
    const group = program
      .command('security-group')
      .summary('who may reach a VM')
      .description(
        'Rules of the packet filter in front of VMs with a TAP device. The group default holds for all, that of a VM for it. A rule lets through; nothing is dropped unless the policy says so.',
      )
      .addHelpText('after', examples(['vmpulse security-group list --vm web-1', 'what holds for one VM']));
    group
      .command('list')
      .description('Lists the groups with their rules, or those that hold for one VM.')
      .option('--vm <vm>', 'name or namespace/name; without it all groups')
      .addOption(formatOption())
      .addOption(jsonOption())
      .addHelpText('after', examples(['vmpulse security-group list --json', 'for a program']))
      .action(({ vm, ...options }: VmOption & FormatOptions, command) =>
        withDaemon(command, cli, async (client) => {
          const query = vm === undefined ? '' : `?vm=${encodeURIComponent(vm)}`;
          const answer = await client.get(`/v1/security-groups${query}`, asCame(groupsAnswer));
          await show(cli, options, answer, groupsText);
        }),
      );
    registerAdd(group, cli);
    group
      .command('remove-rule')
      .description('Removes a rule by its id, which list shows.')
      .argument('[group]', 'default; left out with --vm', defaultGroup)
      .requiredOption('--id <id>', 'of the rule, for example r1')
      .option('--vm <vm>', 'of the group of this VM')
      .addOption(dryRunOption())
      .addOption(formatOption())
      .addOption(jsonOption())
      .addHelpText('after', examples(['vmpulse security-group remove-rule default --id r1', 'of all VMs']))
      .action(
        (name: string | undefined, { vm, id, ...options }: GroupOptions & { readonly id: string }, command) =>
          change(command, cli, options, 'remove-rule', name, { vm, id }),
      );
    group
      .command('policy')
      .description(
        'Says what happens to what no rule lets through: accept (the default) or drop; inherit: as the group default has it. Answers of what the VM began, ARP, neighbour discovery, DHCP and what this host itself sends pass always.',
      )
      .addArgument(new Argument('<policy>', 'what happens to it').choices(['accept', 'drop', 'inherit']))
      .argument('[group]', 'default; left out with --vm', defaultGroup)
      .option('--vm <vm>', 'of the group of this VM')
      .addOption(dryRunOption())
      .addOption(formatOption())
      .addOption(jsonOption())
      .addHelpText('after', examples(['vmpulse security-group policy drop --vm db', 'only what rules name']))
      .action((policy: string, name: string | undefined, { vm, ...options }: GroupOptions, command) =>
        change(command, cli, options, 'policy', name, { vm, policy: policy === 'inherit' ? null : policy }),
      );
  },
};

function registerAdd(group: Command, cli: Cli): void {
  group
    .command('add-rule')
    .description('Lets through to the VMs of a group what the rule describes. Who added it is recorded.')
    .argument('[group]', 'default; left out with --vm', defaultGroup)
    .option('--vm <vm>', 'only to this VM')
    .option('--source-cidr <cidr>', 'from this address or network, for example 10.0.0.0/8; default anywhere')
    .option('--port <port>', 'to this port, or range 8000-8010, of tcp or udp', parsePorts)
    .option('--protocol <protocol>', 'tcp, udp, icmp or any; default tcp with a port, any without')
    .option('--comment <text>', 'for people, at most 100 characters')
    .addOption(dryRunOption())
    .addOption(formatOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      examples([
        'vmpulse security-group add-rule default --source-cidr 10.0.0.0/8 --port 8080 --protocol tcp --comment "Health checks"',
        'to all VMs',
      ]),
    )
    .action((name: string | undefined, options: RuleOptions, command) => {
      const { vm, sourceCidr, port, protocol, comment } = options;
      const rule = { sourceCidr, ...port, protocol, comment };
      return change(command, cli, options, 'add-rule', name, { vm, rule });
    });
}

function change(
  command: Command,
  cli: Cli,
  options: ChangeOptions,
  verb: 'add-rule' | 'remove-rule' | 'policy',
  name: string | undefined,
  body: VmOption & Readonly<Record<string, unknown>>,
): Promise<void> {
  if (name !== undefined && body.vm !== undefined)
    throw new VmpulseError(
      'ERR_VMPULSE_USAGE',
      `${name} and --vm ${plainText(body.vm)} name two groups; keep one of them`,
    );
  return withDaemon(command, cli, async (client) => {
    const group = body.vm === undefined ? 'default' : await vmId(client, body.vm);
    if (!(await goesOn(cli, options, `${WHAT[verb]} group ${group}`))) return;
    const path = `/v1/security-groups/${verb}`;
    const answer = await client.post(path, { ...body, author: author() }, asCame(groupsAnswer));
    await show(cli, options, answer, groupsText);
  });
}

const WHAT = {
  'add-rule': 'add a rule to',
  'remove-rule': 'remove a rule from',
  policy: 'set the policy of',
} as const;

/** Groups are `default` and one a VM, which --vm names. */
function defaultGroup(text: string): string {
  if (text === 'default') return text;
  throw new InvalidArgumentError('It is no group; write default, or --vm with the name of a VM');
}

function parsePorts(text: string): { port: number; toPort?: number } {
  const [, from, to] = /^([0-9]{1,5})(?:-([0-9]{1,5}))?$/.exec(text) ?? [];
  if (from === undefined)
    throw new InvalidArgumentError('It is no port; write one such as 8080 or 8000-8010');
  return { port: Number(from), ...(to === undefined ? {} : { toPort: Number(to) }) };
}
