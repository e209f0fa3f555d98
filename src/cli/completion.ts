import type { FlagTable } from './flags/flag.ts';
import { globalFlags } from './globals.ts';
import { root } from './tree.ts';
import type { Entry, Group } from './tree-node.ts';

/** What the arguments of a command name, so that they can be completed with what there is. */
const argumentLists: Readonly<Record<string, string>> = {
  container: 'ps --all --format {{.Names}}',
  image: 'images --format {{.Repository}}:{{.Tag}}',
  network: 'network ls --format {{.Name}}',
  volume: 'volume ls --format {{.Name}}',
};

function words(flags: FlagTable): string {
  return Object.entries(flags)
    .filter(([, { hidden }]) => hidden !== true)
    .flatMap(([name, { short }]) => [`--${name}`, ...(short === undefined ? [] : [`-${short}`])])
    .concat('--help')
    .sort()
    .join(' ');
}

async function cases(entry: Entry, path: string): Promise<string[]> {
  const paths = entry.names.map((name) => `'${path}${name}'`).join('|');
  if (entry.kind === 'group') {
    const children = await Promise.all(
      entry.children.map((child) => cases(child, `${path}${entry.names[0]} `)),
    );
    return [`    ${paths}) words='${childNames(entry)}' ;;`, ...children.flat()];
  }
  const { command } = await entry.load();
  const named = /CONTAINER|IMAGE|NETWORK|VOLUME|NAME\[:TAG/.exec(command.usage)?.[0].toLowerCase() ?? '';
  const kind = named.startsWith('name') ? 'image' : named;
  return [`    ${paths}) words='${words(command.flags)}' list='${argumentLists[kind] ?? ''}' ;;`];
}

const childNames = (group: Group): string => group.children.flatMap(({ names }) => names).join(' ');

/** A completion script for bash, made of the command tree and its flags. */
export async function bashCompletion(): Promise<string> {
  const name = root.names[0] ?? '';
  const all = (await Promise.all(root.children.map((child) => cases(child, '')))).flat();
  const groups = root.children.flatMap((child) => (child.kind === 'group' ? child.names : [])).join('|');
  return `# bash completion for ${name}
_${name}() {
  local cur=\${COMP_WORDS[COMP_CWORD]} path='' words='' list='' word
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case $word in
      -*) ;;
      *)
        case $path in
          '') path=$word ;;
          ${groups}) path="$path $word" ;;
        esac
        ;;
    esac
  done
  case $path in
    '') words='${childNames(root)} ${words(globalFlags)}' ;;
${all.join('\n')}
  esac
  if [[ $cur != -* && -n $list ]]; then
    words=$("\${COMP_WORDS[0]}" $list 2>/dev/null)
  fi
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}
complete -o default -F _${name} ${name}
`;
}
