import { importAzlin } from './azlin.js';
import { importBlixard } from './blixard.js';
import type { Importer } from './imported.js';
import { importKubevirt } from './kubevirt.js';
import type { IMPORTED_SYSTEMS } from './systems.js';

/** How their files are taken over, a line each. */
export const IMPORTERS: Readonly<Record<string, Importer>> = {
  azlin: importAzlin,
  blixard: importBlixard,
  kubevirt: importKubevirt,
} satisfies Record<(typeof IMPORTED_SYSTEMS)[number], Importer>;
