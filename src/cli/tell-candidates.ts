import type { Command } from 'commander';
import { type Cli, vmPath } from './cli.js';
import type { DaemonClient } from './client.js';
import { complete } from './complete.js';
import { daemonPlace, type PlaceOptions } from './daemon-place.js';

/** A person has pressed a key and waits, ms. */
const DEADLINE_MS = 1_000;
/** What a shell may be given: nothing in it means anything to one. */
const PLAIN = /^[A-Za-z0-9_./:@=,-]+$/;
const MAX_ABOUT_CHARS = 70;

/** Answers a completion script: a line a candidate. A daemon that is not there has no VMs; nothing is ever said on stderr. */
export async function tellCandidates(program: Command, cli: Cli, words: readonly string[]): Promise<void> {
  const { candidates, files } = await complete(program, words, {
    vms: () => fromDaemon(cli, words, vmNames),
    settings: (vm) => fromDaemon(cli, words, (client) => settingPaths(client, vm)),
  });
  const lines = candidates
    .filter(({ value }) => PLAIN.test(value))
    .map(({ value, about }) => `${value}\t${firstSentence(about)}\n`);
  cli.stdout.write(lines.join('') + (files ? ':files\n' : ''));
}

function firstSentence(text: string): string {
  const first = text.split(/[.;:\n\t]/)[0] ?? '';
  return first.length > MAX_ABOUT_CHARS ? `${first.slice(0, MAX_ABOUT_CHARS)}…` : first;
}

async function fromDaemon(
  cli: Cli,
  words: readonly string[],
  ask: (client: DaemonClient) => Promise<string[]>,
): Promise<string[]> {
  let client: DaemonClient | undefined;
  try {
    const { DaemonClient } = await import('./client.js');
    client = new DaemonClient(daemonPlace(placeOptions(words), cli.environment));
    return await ask(client);
  } catch {
    return [];
  } finally {
    await client?.close();
  }
}

/** Names and ids: a name that several VMs have is given with its namespace only. */
async function vmNames(client: DaemonClient): Promise<string[]> {
  const { hostAnswer } = await import('../daemon/answers/status.js');
  const { vms } = await client.get('/v1/status', hostAnswer, DEADLINE_MS);
  const names = vms.map(({ id }) => id.slice(id.indexOf('/') + 1));
  const unique = names.filter((name) => names.indexOf(name) === names.lastIndexOf(name));
  return [...unique, ...vms.map(({ id }) => id)];
}

/** Settings that have a value; others can be set as well, and are typed. */
async function settingPaths(client: DaemonClient, vm: string | undefined): Promise<string[]> {
  const { configurationAnswer } = await import('../daemon/answers/configuration.js');
  const path = vm === undefined ? '/v1/config' : vmPath('/v1/config', vm);
  const { settings } = await client.get(path, configurationAnswer, DEADLINE_MS);
  return settings.map((setting) => setting.path);
}

/** Where the daemon is, as far as it was typed. */
function placeOptions(words: readonly string[]): PlaceOptions {
  const names = { socket: '--socket', url: '--url', tokenFile: '--token-file', ca: '--ca' };
  const typed = Object.entries(names).flatMap(([key, option]) => {
    const value = words[words.indexOf(option) + 1];
    return words.includes(option) && value ? [[key, value]] : [];
  });
  return Object.fromEntries(typed);
}
