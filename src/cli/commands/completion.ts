import { Argument } from 'commander';
import type { CliCommand } from '../cli.js';
import { examples } from '../examples.js';
import { COMPLETION_SCRIPTS, SHELLS, type Shell } from '../text/completion-scripts.js';

/** `vmpulse completion SHELL`. */
export const completionCommand: CliCommand = {
  register(program, cli) {
    program
      .command('completion')
      .summary('print the completion script of a shell')
      .description(
        'Prints a script that has the shell complete commands, options, their values, and the names of VMs, which it asks the daemon for.',
      )
      .addArgument(new Argument('<shell>', 'whose script').choices(SHELLS))
      .addHelpText(
        'after',
        examples(
          ['vmpulse completion bash > /etc/bash_completion.d/vmpulse', 'for everybody'],
          ['source <(vmpulse completion bash)', 'in this shell'],
          ['vmpulse completion zsh > /usr/local/share/zsh/site-functions/_vmpulse', 'zsh'],
          ['vmpulse completion fish > ~/.config/fish/completions/vmpulse.fish', 'fish'],
        ),
      )
      .action((shell: Shell) => void cli.stdout.write(COMPLETION_SCRIPTS[shell]));
  },
};
