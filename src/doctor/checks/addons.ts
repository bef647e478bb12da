import type { DoctorCheck } from '../check.js';
import { of, ok, warning } from '../finding.js';

const FIX = 'npm run build:native (or install a package with prebuilt addons for this platform)';

export const addons: DoctorCheck = {
  id: 'addons',
  looksAt: 'The native engine and the kernel addon: loaded, and from where.',
  why: 'Without them vmpulse runs on in part: fewer kinds of probe and more CPU, no pidfds, locks and canary.',
  look: ({ host }) =>
    (
      [
        ['engine', host.engineAddon()],
        ['kernel', host.kernelAddon()],
      ] as const
    ).map(([name, addon]) =>
      of(name, addon.loaded ? ok(addon.path) : warning(addon.why.replaceAll('\n', ' '), FIX)),
    ),
};
