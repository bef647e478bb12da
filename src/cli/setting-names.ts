import { MONITOR_SETTINGS, type MonitorSetting } from '../config/health-monitor.js';
import { errorMessage, VmpulseError } from '../model/errors.js';
import { plainText } from '../model/plain-text.js';

const SECTION = 'health_monitor';

/** A setting as somebody named it. */
export interface NamedSetting {
  readonly path: string;
  /** Set where it was named as Blixard names it. */
  readonly theirs?: MonitorSetting;
}

/** Finds what `health_monitor.timeout` is here; other names are ours. Throws ERR_VMPULSE_USAGE. */
export function settingNamed(name: string): NamedSetting {
  if (!name.startsWith(`${SECTION}.`)) return { path: name };
  const below = name.slice(SECTION.length + 1);
  const theirs = MONITOR_SETTINGS.find((each) => each.name === below);
  if (theirs !== undefined) return { path: theirs.path, theirs };
  const known = MONITOR_SETTINGS.map((each) => each.name).join(', ');
  const why =
    below === 'enabled'
      ? 'each VM has a switch of its own (vmpulse vm update --health-check-enabled)'
      : `known are ${known}`;
  throw new VmpulseError('ERR_VMPULSE_USAGE', `there is no setting ${plainText(name)}; ${why}`);
}

/** Whether all of Blixard's section is meant. */
export function isMonitorSection(name: string): boolean {
  return name === SECTION;
}

/** Reads a value of the command line as YAML has it: `30s`, `true`, `[a, b]`. Throws ERR_VMPULSE_USAGE. */
export async function readValue(text: string): Promise<unknown> {
  const { parse } = await import('yaml');
  try {
    const value: unknown = parse(text, { maxAliasCount: 0 });
    return value ?? null;
  } catch (error) {
    const why = plainText(errorMessage(error).split('\n')[0] ?? '', 200);
    throw new VmpulseError('ERR_VMPULSE_USAGE', `"${plainText(text, 60)}" is no value: ${why}`);
  }
}
