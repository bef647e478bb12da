import { configurationAnswer } from '../../daemon/answers/configuration.js';
import { DEFAULT_RUN_DIR, DEFAULT_STATE_DIR } from '../../model/folders.js';
import type { Gathering } from './parts.js';

/** Where the files of a daemon are. */
export interface Folders {
  readonly stateDir: string;
  readonly runDir: string;
}

export const USUAL_FOLDERS: Folders = { stateDir: DEFAULT_STATE_DIR, runDir: DEFAULT_RUN_DIR };

/** Those of the configuration, or of the daemon that answers where nobody said which configuration it has. */
export async function chooseFolders(gathering: Gathering): Promise<void> {
  const { config, configPath, stage, asksFolders } = gathering;
  const { stateDir, runDir } = config?.config ?? USUAL_FOLDERS;
  gathering.folders = { stateDir, runDir };
  const told = asksFolders ? await toldFolders(gathering) : undefined;
  if (told === undefined || (told.stateDir === stateDir && told.runDir === runDir)) return;
  gathering.folders = told;
  const why = `its folders are ${told.stateDir} and ${told.runDir}, not those of ${configPath}; name its file with --config`;
  stage.lack('the configuration of the daemon that answers', why);
}

/** Nothing where no daemon answers: the part that asks it for more says why. */
async function toldFolders({ client }: Gathering): Promise<Folders | undefined> {
  const answer = await client.get('/v1/config', configurationAnswer).catch(() => undefined);
  const told = (path: string) => answer?.settings.find((setting) => setting.path === path)?.value;
  const [stateDir, runDir] = [told('stateDir'), told('runDir')];
  return typeof stateDir === 'string' && typeof runDir === 'string' ? { stateDir, runDir } : undefined;
}
