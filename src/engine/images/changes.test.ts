import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { ImageRuntimeConfig } from '#/oci/image-config.ts';
import { applyChanges } from './changes.ts';

function apply(...changes: string[]): ImageRuntimeConfig {
  return applyChanges({}, changes);
}

test('applyChanges: does to a configuration what Docker does', () => {
  const cases: readonly (readonly [string[], ImageRuntimeConfig])[] = [
    [['CMD ["a","b"]'], { Cmd: ['a', 'b'] }],
    [['CMD a b'], { Cmd: ['/bin/sh', '-c', 'a b'] }],
    [['cmd a'], { Cmd: ['/bin/sh', '-c', 'a'] }],
    [['CMD'], { Cmd: ['/bin/sh', '-c'] }],
    [['CMD ["a'], { Cmd: ['/bin/sh', '-c', '["a'] }],
    [['ENTRYPOINT ["x"]', 'CMD []'], { Entrypoint: ['x'] }],
    [['CMD ["x"]', 'ENTRYPOINT ["y"]'], { Entrypoint: ['y'], Cmd: ['x'] }],
    [['ENV A=b C="d e" F=g\\ h'], { Env: ['A=b', 'C=d e', 'F=g h'] }],
    [['ENV A b c'], { Env: ['A=b c'] }],
    [['ENV A=$B', 'ENV B=x', 'ENV C=${B}y'], { Env: ['A=', 'B=x', 'C=xy'] }],
    [['ENV A=1', 'ENV A=2 B=$A'], { Env: ['A=2', 'B=1'] }],
    [
      ['ENV A=1 B=\'$A\' C="$A" D=\\$A E=${X:-d$A} F=${A:+s} G=${A:-n}'],
      { Env: ['A=1', 'B=$A', 'C=', 'D=$A', 'E=d', 'F=', 'G=n'] },
    ],
    [
      ['ENV A=1', 'ENV C="$A" E=${X:-d$A} F=${A:+s} G=${A:-n} H="it\'s"'],
      { Env: ['A=1', 'C=1', 'E=d1', 'F=s', 'G=1', "H=it's"] },
    ],
    [
      ['EXPOSE 80 81/udp 90-91'],
      { ExposedPorts: { '80/tcp': {}, '81/udp': {}, '90/tcp': {}, '91/tcp': {} } },
    ],
    [['LABEL a=b "c d"=e'], { Labels: { a: 'b', 'c d': 'e' } }],
    [['LABEL a=\'x y\' b=""'], { Labels: { a: 'x y', b: '' } }],
    [['LABEL a b'], { Labels: { a: 'b' } }],
    [['ONBUILD RUN x', 'ONBUILD COPY a b'], { OnBuild: ['RUN x', 'COPY a b'] }],
    [['STOPSIGNAL SIGTERM'], { StopSignal: 'SIGTERM' }],
    [['USER me'], { User: 'me' }],
    [['USER $A', 'ENV A=x'], { User: '', Env: ['A=x'] }],
    [['VOLUME /a /b'], { Volumes: { '/a': {}, '/b': {} } }],
    [['VOLUME ["/a","/b"]'], { Volumes: { '/a': {}, '/b': {} } }],
    [['WORKDIR /x', 'WORKDIR y'], { WorkingDir: '/x/y' }],
    [['WORKDIR rel'], { WorkingDir: '/rel' }],
    [['HEALTHCHECK NONE'], { Healthcheck: { Test: ['NONE'] } }],
    [
      ['HEALTHCHECK --interval=5s --timeout=3s --retries=2 --start-period=1m --start-interval=2s CMD curl x'],
      {
        Healthcheck: {
          Interval: 5e9,
          Timeout: 3e9,
          Retries: 2,
          StartPeriod: 60e9,
          StartInterval: 2e9,
          Test: ['CMD-SHELL', 'curl x'],
        },
      },
    ],
    [['HEALTHCHECK CMD ["a","b"]'], { Healthcheck: { Test: ['CMD', 'a', 'b'] } }],
    [['ENV A=b\nCMD x'], { Env: ['A=b'], Cmd: ['/bin/sh', '-c', 'x'] }],
    [['# comment', 'ENV A=b \\\n C=d'], { Env: ['A=b', 'C=d'] }],
  ];
  for (const [changes, expected] of cases) assert.deepEqual(apply(...changes), expected, changes.join('; '));
});

test('applyChanges: refuses in the words of Docker', () => {
  const wrong: Readonly<Record<string, string>> = {
    'FOO x': 'FOO is not a valid change command',
    'RUN x': 'RUN is not a valid change command',
    '# comment': 'file with no instructions',
    'ENV A': 'ENV must have two arguments',
    'LABEL a': 'LABEL must have two arguments',
    'EXPOSE x': 'Invalid containerPort: x',
    'EXPOSE 80/foo': 'Invalid proto: foo',
    'EXPOSE 70000': 'Invalid containerPort: 70000',
    'ONBUILD FROM x': "FROM isn't allowed as an ONBUILD trigger",
    'ONBUILD ONBUILD x': "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed",
    'STOPSIGNAL x': 'invalid signal: x',
    STOPSIGNAL: 'STOPSIGNAL requires exactly one argument',
    USER: 'USER requires exactly one argument',
    VOLUME: 'VOLUME requires at least one argument',
    'VOLUME [ "" ]': 'VOLUME specified can not be an empty string',
    'HEALTHCHECK --interval=1us CMD x': 'Interval "interval" cannot be less than 1ms',
    'HEALTHCHECK FOO x': 'Unknown type "FOO" in HEALTHCHECK (try CMD)',
    'CMD ["a", 1]': 'when using JSON array syntax, arrays must be comprised of strings only',
  };
  for (const [change, message] of Object.entries(wrong)) {
    assert.throws(() => apply(change), { kind: 'invalid', message }, change);
  }
});

test('applyChanges: any text gives a configuration or an error for people', () => {
  const word = fc.constantFrom(
    'CMD',
    'ENV',
    'LABEL',
    'HEALTHCHECK',
    'VOLUME',
    'EXPOSE',
    'ONBUILD',
    'WORKDIR',
  );
  const text = fc.string({
    unit: fc.constantFrom('a', '=', '$', '{', '}', '"', "'", '\\', ' ', '[', ']', ':', '-', '\n'),
    maxLength: 60,
  });
  fc.assert(
    fc.property(word, text, (name, rest) => {
      try {
        apply(`${name} ${rest}`);
      } catch (error) {
        assert.equal((error as { kind?: string }).kind, 'invalid');
      }
    }),
  );
});
