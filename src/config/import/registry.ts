import { importAzlin } from './azlin.js';
import { importBlixard } from './blixard.js';
import type { Importer } from './imported.js';
import { importKubevirt } from './kubevirt.js';

/** Systems whose files are taken over, a line each. */
export const IMPORTERS: Readonly<Record<string, Importer>> = {
  azlin: importAzlin,
  blixard: importBlixard,
  kubevirt: importKubevirt,
};
