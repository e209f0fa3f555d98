import { inspectContainer } from '#/client/containers.ts';
import type { ContainerInspect } from '#/wire/container-inspect.ts';
import { type Command, defineCommand } from '../../command.ts';
import { naturalOrder } from '../../format/ids.ts';
import { joinHostPort } from '../../format/ports.ts';

export const command: Command = defineCommand({
  usage: 'CONTAINER [PRIVATE_PORT[/PROTO]]',
  arity: { min: 1, max: 2 },
  flags: {},
  async run({ client, stdout }, { args: [name = '', wanted] }) {
    const container = JSON.parse(await inspectContainer(client, name)) as ContainerInspect;
    const ports = container.NetworkSettings.Ports ?? {};
    const lines =
      wanted === undefined
        ? Object.entries(ports).flatMap(([port, bindings]) =>
            (bindings ?? []).map(({ HostIp, HostPort }) => `${port} -> ${joinHostPort(HostIp, HostPort)}`),
          )
        : bindingsOf(ports, wanted, name);
    if (lines.length > 0) stdout.write(`${lines.sort(naturalOrder).join('\n')}\n`);
  },
});

function bindingsOf(
  ports: NonNullable<ContainerInspect['NetworkSettings']['Ports']>,
  wanted: string,
  name: string,
): string[] {
  const [port = '', protocol = 'tcp'] = wanted.split('/');
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535) {
    const reason = /^\d+$/.test(port) ? 'value out of range' : 'invalid syntax';
    throw new Error(
      `Error: invalid port (${port}): strconv.ParseUint: parsing ${JSON.stringify(port)}: ${reason}`,
    );
  }
  const bindings = ports[`${port}/${protocol || 'tcp'}`] ?? [];
  if (bindings.length === 0) throw new Error(`Error: No public port '${wanted}' published for ${name}`);
  return bindings.map(({ HostIp, HostPort }) => joinHostPort(HostIp, HostPort));
}
