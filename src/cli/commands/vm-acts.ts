import type { Command } from 'commander';
import { given } from '../../model/given.js';
import { dryRunOption, yesOption } from '../changes.js';
import { type Cli, withDaemon } from '../cli.js';
import { type EachVmOptions, forEachVm } from '../each-vm.js';
import { examples } from '../examples.js';
import { formatOption, jsonOption } from '../format.js';
import { parseTime } from '../option-parsers.js';
import { actionPlan, previewAction, resultOf, runAction } from '../run-plan.js';
import { healthOption, tagOption, vmsArgument } from '../selectors.js';

interface ActOptions extends EachVmOptions {
  readonly reason?: string;
  readonly timeout?: number;
  readonly force?: true;
  readonly deleteDisks?: true;
  readonly name?: string;
}

/** A verb that is a plan of one action for each VM. */
interface Act {
  readonly verb: string;
  readonly operation: string;
  readonly description: string;
  readonly example: readonly [command: string, what: string];
  /** Ends or disturbs what runs. `always`: even one VM needs --yes. */
  readonly disturbs: boolean | 'always';
  /** What --force does; unset: there is none. */
  readonly force?: string;
  readonly deleteDisks?: true;
  /** What --name names; unset: there is none. */
  readonly name?: string;
}

const SIGKILL = 'SIGKILL at once, instead of asking the guest first';

const ACTS: readonly Act[] = [
  {
    verb: 'start',
    operation: 'START',
    description: 'Starts VMs; one that runs already is left as it is.',
    example: ['vmpulse vm start --tag tier=front', 'all with that label'],
    disturbs: false,
  },
  {
    verb: 'stop',
    operation: 'STOP',
    description:
      'Stops VMs: power button, then quit, then SIGKILL. They stay off, whatever their run strategy, until they are started or released.',
    example: ["vmpulse vm stop 'web-*' --yes --reason 'new cabling'", 'all of that name'],
    disturbs: true,
    force: SIGKILL,
  },
  {
    verb: 'restart',
    operation: 'RESTART',
    description: 'Stops VMs as stop does, and starts them; before that it is proven that a start will work.',
    example: ['vmpulse vm restart web-1', 'a new VMM, as the documents now say'],
    disturbs: true,
    force: SIGKILL,
  },
  {
    verb: 'reset',
    operation: 'RESET',
    description: 'Presses the reset button: the guests boot again, their VMMs stay.',
    example: ['vmpulse vm reset db', 'it does not answer any more'],
    disturbs: true,
  },
  {
    verb: 'pause',
    operation: 'PAUSE',
    description: 'Stops the processors of guests; nothing is done to a VM while it is paused.',
    example: ['vmpulse vm pause db', 'until vmpulse vm resume db'],
    disturbs: true,
  },
  {
    verb: 'resume',
    operation: 'RESUME',
    description: 'Lets the processors of guests go on.',
    example: ['vmpulse vm resume --health-status paused', 'all that are paused'],
    disturbs: false,
  },
  {
    verb: 'snapshot',
    operation: 'SNAPSHOT',
    description:
      'Saves the memory and all writable disks of VMs at one moment, inside the disks, which must be qcow2 (QEMU, libvirt); the guests stand still meanwhile. docs/reference/plan.md says how to go back.',
    example: ['vmpulse vm snapshot db --name before-upgrade', 'saved under that name'],
    disturbs: true,
    name: 'name of the snapshot; default snapshot-TIME. One of that name that is there already is taken for it',
  },
  {
    verb: 'delete',
    operation: 'DELETE',
    description:
      'Stops VMs and removes their documents and folders. Their disks stay unless --delete-disks is given. A VM that persons keep in a folder of the configuration is to be removed there.',
    example: ['vmpulse vm delete web --force --yes', 'it hangs: SIGKILL, then everything but its disks goes'],
    disturbs: 'always',
    force: SIGKILL,
    deleteDisks: true,
  },
  {
    verb: 'recreate',
    operation: 'RECREATE',
    description:
      'Stops VMs, removes what their VMMs left, and starts them anew with the same UUID, MAC and disks. With --delete-disks their disks are removed first, and they start only if none of them is needed.',
    example: ['vmpulse vm recreate web --yes', 'the same VM with a new VMM'],
    disturbs: 'always',
    force: SIGKILL,
    deleteDisks: true,
  },
];

/** `vmpulse vm start|stop|restart|reset|pause|resume|snapshot|delete|recreate`. */
export function addActs(vm: Command, cli: Cli): void {
  for (const act of ACTS) addAct(vm, cli, act);
}

function addAct(vm: Command, cli: Cli, act: Act): void {
  const command = vm
    .command(act.verb)
    .description(act.description)
    .addArgument(vmsArgument())
    .addOption(tagOption())
    .addOption(healthOption())
    .option('--reason <text>', 'why; kept in the journal')
    .option('--timeout <time>', 'longest time for each; default as in docs/reference/plan.md', parseTime);
  if (act.force !== undefined) command.option('--force', act.force);
  if (act.name !== undefined) command.option('--name <name>', act.name);
  if (act.deleteDisks) command.option('--delete-disks', 'also remove the files of their writable disks');
  if (act.disturbs === 'always') command.option('--yes', 'do it; must be given');
  else if (act.disturbs) command.addOption(yesOption());
  command
    .addOption(dryRunOption())
    .addOption(formatOption())
    .addOption(jsonOption())
    .addHelpText('after', examples([act.example[0], act.example[1]]))
    .action((names: readonly string[], options: ActOptions) =>
      withDaemon(command, cli, (client) =>
        forEachVm(cli, client, names, options, {
          verb: act.verb,
          disturbs: act.disturbs,
          preview: ({ id }) => previewAction(client, planOf(act, id, options)),
          work: async ({ id }) => {
            const { data, shown } = await runAction(client, planOf(act, id, options));
            return { text: `${id}: ${shown.text}`, data: resultOf(data) };
          },
        }),
      ),
    );
}

function planOf({ verb, operation, force, deleteDisks, name }: Act, vm: string, options: ActOptions): object {
  const seconds = options.timeout === undefined ? undefined : Math.ceil(options.timeout / 1000);
  return actionPlan(verb, options.reason, {
    operation,
    vm_id: vm,
    ...given({ timeout_seconds: seconds }),
    ...(force === undefined ? {} : { force: options.force === true }),
    ...(name === undefined ? {} : { snapshot_name: options.name ?? snapshotName(new Date()) }),
    ...(deleteDisks ? { delete_disks: options.deleteDisks === true } : {}),
  });
}

/** To the second, in UTC: `snapshot-20260102-030405`. */
function snapshotName(at: Date): string {
  return `snapshot-${at.toISOString().slice(0, 19).replaceAll(/[-:]/g, '').replace('T', '-')}`;
}
