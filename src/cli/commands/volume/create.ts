import { createVolume } from '#/client/volumes.ts';
import { type Command, defineCommand } from '../../command.ts';
import { checkLabel, toMap } from '../../container-options/key-values.ts';
import { listFlag, mapFlag, stringFlag } from '../../flags/flag.ts';

export const command: Command = defineCommand({
  usage: '[OPTIONS] [VOLUME]',
  arity: { max: 1 },
  flags: {
    driver: stringFlag('Driver of the volume', { short: 'd', initial: 'local' }),
    label: listFlag('Set a label (name=value)', { check: checkLabel }),
    name: { ...stringFlag('Name of the volume'), hidden: true },
    opt: mapFlag('Option of the driver (name=value)', { short: 'o' }),
  },
  async run({ client, stdout }, { flags, args: [name = ''] }) {
    if (name !== '' && flags.name !== '') {
      throw new Error(
        'conflicting options: cannot specify a volume-name through both --name and as a positional arg',
      );
    }
    const { Name } = await createVolume(client, {
      Name: name || flags.name,
      Driver: flags.driver,
      ...(Object.keys(flags.opt).length > 0 && { DriverOpts: flags.opt }),
      ...(flags.label.length > 0 && { Labels: toMap(flags.label) }),
    });
    stdout.write(`${Name}\n`);
  },
});
