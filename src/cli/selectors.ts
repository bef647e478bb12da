import { Argument, InvalidArgumentError, Option } from 'commander';
import type { z } from 'zod';
import { type HostAnswer, hostAnswer, type VmAnswer, vmAnswer } from '../daemon/answers/status.js';
import { VmpulseError } from '../model/errors.js';
import { matchesGlob } from '../model/glob.js';
import { HEALTH_STATES } from '../model/health.js';
import { type Cli, vmPath } from './cli.js';
import type { DaemonClient } from './client.js';
import { type Answer, answersOf, asCame } from './format.js';

type HostBoth = Answer<HostAnswer, z.input<typeof hostAnswer>>;
/** A VM as it came, and as it is shown. */
export type VmBoth = Answer<VmAnswer, z.input<typeof vmAnswer>>;

/** What chooses VMs beside their names. */
export interface Selection {
  readonly tag?: readonly string[];
  readonly healthStatus?: readonly string[];
}

/** Names, each of which may be a glob. */
export function vmsArgument(): Argument {
  return new Argument('[vm...]', "names, namespace/names or globs such as 'web-*'; '*' is all of them");
}

export function tagOption(): Option {
  return new Option(
    '--tag <label>',
    'VMs with the label key=value, or key with any value; repeated: with all of them',
  ).argParser(append);
}

export function healthOption(): Option {
  return new Option('--health-status <health>', 'VMs of such a health; may be repeated')
    .choices(HEALTH_STATES)
    .argParser(appendHealth);
}

/** Whether VMs are chosen by anything but their names: a person may not know how many these are. */
export function isOpen(names: readonly string[], { tag, healthStatus }: Selection): boolean {
  return names.some(isGlob) || tag !== undefined || healthStatus !== undefined;
}

/**
 * The VMs of those names that have the labels and one of the healths; without names, of all. Errors:
 * ERR_VMPULSE_VM_UNKNOWN for a name that no VM has, ERR_VMPULSE_ARGUMENT for one that several have.
 */
export async function selectVms(
  client: DaemonClient,
  names: readonly string[],
  selection: Selection,
): Promise<VmBoth[]> {
  const host = await client.get('/v1/status', asCame(hostAnswer));
  return pairs(await selectFrom(client, host, names, selection));
}

/** The same, as a host that has only these. */
export async function selectFrom(
  client: DaemonClient,
  host: HostBoth,
  names: readonly string[],
  selection: Selection,
): Promise<HostBoth> {
  const all = pairs(host);
  const named = names.length === 0 ? all : await namedVms(client, names, all);
  const chosen = named.filter(({ shown }) => fits(shown, selection));
  return {
    data: { ...host.data, vms: chosen.map(({ data }) => data) },
    shown: { ...host.shown, vms: chosen.map(({ shown }) => shown) },
  };
}

/** As selectVms(), where nothing at all does not mean every VM. Throws ERR_VMPULSE_USAGE for that. */
export function chooseVms(
  client: DaemonClient,
  names: readonly string[],
  selection: Selection,
): Promise<VmBoth[]> {
  if (names.length === 0 && !isOpen(names, selection)) {
    const text = "no VM is named; give names, '*' for all, or choose with --tag or --health-status";
    throw new VmpulseError('ERR_VMPULSE_USAGE', text);
  }
  return selectVms(client, names, selection);
}

/** Says so where names, labels and health choose no VM: data are then empty, and nothing has failed. */
export function tellIfNone(cli: Cli, vms: readonly unknown[]): void {
  if (vms.length === 0) cli.stderr.write('vmpulse: no VM is chosen\n');
}

/** The id of the VM of that name; throws what the daemon says where there is none. */
export async function vmId(client: DaemonClient, name: string): Promise<string> {
  return (await client.get(vmPath('/v1/status', name), vmAnswer)).id;
}

function pairs({ data, shown }: HostBoth): VmBoth[] {
  return answersOf(data.vms, shown.vms);
}

/** In the order of the daemon, each once. */
async function namedVms(
  client: DaemonClient,
  names: readonly string[],
  all: readonly VmBoth[],
): Promise<VmBoth[]> {
  const chosen = new Set<string>();
  for (const name of names) {
    const ids = all.map(({ shown }) => shown.id).filter((id) => isNamed(id, name));
    if (isGlob(name) || ids.length === 1) for (const id of ids) chosen.add(id);
    // The daemon knows UUIDs as well, and what was perhaps meant.
    else chosen.add(await vmId(client, name));
  }
  return all.filter(({ shown }) => chosen.has(shown.id));
}

function isGlob(name: string): boolean {
  return /[*?]/.test(name);
}

/** A pattern without a slash is one of names in any namespace. */
function isNamed(id: string, pattern: string): boolean {
  return matchesGlob(pattern, pattern.includes('/') ? id : id.slice(id.indexOf('/') + 1));
}

function fits(vm: VmAnswer, { tag = [], healthStatus }: Selection): boolean {
  return (
    (healthStatus === undefined || healthStatus.includes(vm.health)) &&
    tag.every((text) => hasLabel(vm.labels, text))
  );
}

function hasLabel(labels: Readonly<Record<string, string>>, text: string): boolean {
  const at = text.indexOf('=');
  if (at < 0) return Object.hasOwn(labels, text);
  const key = text.slice(0, at);
  return Object.hasOwn(labels, key) && labels[key] === text.slice(at + 1);
}

function append(text: string, before: readonly string[] = []): readonly string[] {
  if (text !== '' && !text.startsWith('=')) return [...before, text];
  throw new InvalidArgumentError('write key=value, or key');
}

function appendHealth(text: string, before: readonly string[] = []): readonly string[] {
  if ((HEALTH_STATES as readonly string[]).includes(text)) return [...before, text];
  throw new InvalidArgumentError(`There are ${HEALTH_STATES.join(', ')}`);
}
