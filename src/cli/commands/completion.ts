import { type Command, defineCommand } from '../command.ts';
import { bashCompletion } from '../completion.ts';

export const command: Command = defineCommand({
  usage: 'bash',
  description: 'Print a completion script. For this shell: source <(skiff completion bash)',
  arity: { min: 1, max: 1 },
  flags: {},
  async run({ stdout }, { args: [shell = ''] }) {
    if (shell !== 'bash')
      throw new Error(`no completion for ${JSON.stringify(shell)}: only "bash" is supported`);
    stdout.write(await bashCompletion());
  },
});
