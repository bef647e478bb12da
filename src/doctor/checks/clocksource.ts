import type { DoctorCheck } from '../check.js';
import { info, ok, warning } from '../finding.js';

const FOLDER = '/sys/devices/system/clocksource/clocksource0';
/** Read through a device or not at all steadily. */
const SLOW = new Set(['hpet', 'acpi_pm', 'jiffies', 'refined-jiffies', 'pit']);

export const clocksource: DoctorCheck = {
  id: 'clocksource',
  looksAt: 'The clock source of the kernel.',
  why: 'Each probe reads the clock several times; a slow source costs CPU, one that was given up (tsc) often means a wrong clock.',
  look: async ({ host }) => {
    const current = (await host.read(`${FOLDER}/current_clocksource`))?.trim();
    if (current === undefined || current === '') return [info('/sys does not say')];
    if (!SLOW.has(current)) return [ok(current)];
    return [
      warning(
        `${current}, which is slow to read`,
        'dmesg | grep -i tsc; where the CPU allows it boot with tsc=reliable',
      ),
    ];
  },
};
