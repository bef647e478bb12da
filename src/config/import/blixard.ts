import { MONITOR_SETTINGS } from '../health-monitor.js';
import { documentText } from '../named-document.js';
import type { Imported, Importer, NotTaken } from './imported.js';
import { nested, quoted } from './nested.js';
import { readToml, type TomlValue } from './toml-file.js';

const SECTION = 'health_monitor.';
const TEMPLATE = 'health_check.';

/** Fields of a template of health checks, and the options of `vmpulse vm update` that set them. */
const OPTIONS: Readonly<Record<string, string>> = {
  type: 'type',
  port: 'port',
  path: 'path',
  timeout: 'timeout',
  interval: 'interval',
  success_threshold: 'success-threshold',
  failure_threshold: 'failure-threshold',
  enabled: 'enabled',
};

/** Blixard's config.toml as the configuration of the daemon. */
export const importBlixard: Importer = (file): Imported => {
  const config = new Map<string, unknown>();
  const taken: string[] = [];
  const notTaken: NotTaken[] = [];
  const template: string[] = [];
  for (const each of readToml(file)) {
    const { path, value } = each;
    const setting = MONITOR_SETTINGS.find(({ name }) => SECTION + name === path);
    const option = path.startsWith(TEMPLATE) ? OPTIONS[path.slice(TEMPLATE.length)] : undefined;
    if (setting !== undefined) {
      config.set(setting.path, setting.toOurs(value));
      taken.push(`${path} → ${setting.path}`);
    } else if (option !== undefined && isPlain(value)) {
      template.push(`--health-check-${option} ${quoted(String(value))}`);
    } else notTaken.push({ place: each.place, path, why: whyNot(each) });
  }
  const files =
    config.size === 0
      ? []
      : [
          {
            path: 'config.yaml',
            text: documentText(nested([...config].map(([path, value]) => ({ path, value })))),
          },
        ];
  return {
    files,
    taken,
    notTaken,
    commands: [
      ...(template.length === 0
        ? []
        : [
            [
              `vmpulse vm update '*' ${template.join(' ')} --yes`,
              'the health check of the template, for all VMs',
            ] as const,
          ]),
      ['vmpulse config set recovery.enabled true', 'until then vmpulse only observes'],
    ],
  };
};

function whyNot({ path, value }: TomlValue): string {
  if (path === `${SECTION}enabled` && value === true)
    return 'is what vmpulse does anyway; nothing is to be done';
  if (path === `${SECTION}enabled`)
    return "switches all checks off, which vmpulse has no switch for; do not start it, or: vmpulse vm update '*' --health-check-enabled false --yes";
  return 'has no counterpart; see docs/reference/configuration.md for what there is';
}

function isPlain(value: unknown): value is string | number | boolean {
  return ['string', 'number', 'boolean'].includes(typeof value);
}
