import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { after, describe, test } from 'node:test';
import { makeBuildFolder } from '#tests/build-folder.ts';
import { buildxCli, noBuildx } from '#tests/buildx.ts';
import { TestDaemon } from '#tests/daemon.ts';
import { startDebianRegistry } from '#tests/debian-registry.ts';
import { openFaultyRegistry } from '#tests/faulty-registry.ts';
import { leakCheck } from '#tests/leak-check.ts';
import { openTokenService } from '#tests/token-service.ts';

import { until } from '#tests/until.ts';

describe('docker buildx', { skip: noBuildx }, async () => {
  if (noBuildx !== false) return;
  const daemon = await TestDaemon.start();
  after(() => daemon[Symbol.asyncDispose]());
  await daemon.loadBusybox();
  const docker = buildxCli(daemon);
  makeBuildFolder(`${docker.dir}/p`);
  writeFileSync(`${docker.dir}/token`, 'hunter2');

  test('build: the context, secrets, arguments, labels, tags, and what is told of it', async () => {
    const line =
      'docker buildx build --progress plain --secret id=token,src=token --build-arg WORD=given --label x=y -t one:1 -t two --iidfile id --metadata-file metadata p';
    const built = await docker.run(line);
    assert.equal(built.code, 0, built.stderr);
    assert.match(built.stderr, /word: given/);
    assert.doesNotMatch(built.stderr, /hunter2/);
    const id = readFileSync(`${docker.dir}/id`, 'utf8');
    const metadata = JSON.parse(readFileSync(`${docker.dir}/metadata`, 'utf8'));
    assert.equal(metadata['image.name'], 'docker.io/library/one:1,docker.io/library/two:latest');
    assert.equal(metadata['containerimage.config.digest'], id);
    assert.equal(metadata['containerimage.digest'], id);
    const provenance = metadata['buildx.build.provenance'];
    assert.equal(provenance.buildType, 'https://mobyproject.org/buildkit@v1');
    assert.deepEqual(provenance.invocation.parameters, {
      frontend: 'dockerfile.v0',
      args: { 'build-arg:WORD': 'given', 'label:x': 'y' },
      secrets: [{ id: 'token', optional: true }],
      locals: [{ name: 'context' }, { name: 'dockerfile' }],
    });
    assert.deepEqual(
      provenance.materials.map(({ uri }: { uri: string }) => uri),
      ['pkg:docker/busybox@latest?platform=linux%2Famd64'],
    );
    await docker.checkAll([
      {
        line: 'docker image inspect two --format "{{.Id}} {{.Config.Labels}}"',
        out: `${id} map[from:file x:y]\n`,
      },
      { line: 'docker run --rm one:1', out: 'content of a\n' },
      { line: 'docker run --rm one:1 cat /all/files/deep/link', out: 'content of a\n' },
      { line: 'docker run --rm one:1 ls /all/.env /all/files/deep/skipped.log', code: 1 },
    ]);
    const again = await docker.run(line);
    assert.match(again.stderr, /COPY \. \/all\n#\d+ CACHED/);
    writeFileSync(`${docker.dir}/p/files/a`, 'changed\n');
    const changed = await docker.run(line);
    assert.doesNotMatch(changed.stderr, /COPY \. \/all\n#\d+ CACHED/);
    assert.equal(await docker.ok('docker run --rm one:1'), 'changed');
  });

  test('build: what is told of it for programs', async () => {
    writeFileSync(`${docker.dir}/p/Casing`, 'FROM busybox as One\nCMD true\n');
    const env = 'BUILDX_METADATA_PROVENANCE=max BUILDX_METADATA_WARNINGS=1';
    await docker.ok(`${env} docker buildx build -q --metadata-file metadata -f p/Casing p`);
    const metadata = JSON.parse(readFileSync(`${docker.dir}/metadata`, 'utf8'));
    const { buildConfig, metadata: about } = metadata['buildx.build.provenance'];
    assert.equal(
      buildConfig.llbDefinition[0].op.Op.source.identifier,
      'docker-image://docker.io/library/busybox:latest',
    );
    assert.equal(about.completeness.parameters, true);
    const [warning] = metadata['buildx.build.warnings'];
    assert.match(Buffer.from(warning.short, 'base64').toString(), /^StageNameCasing: .* \(line 1\)$/);
    assert.match(Buffer.from(warning.sourceInfo.data, 'base64').toString(), /^FROM busybox as One/);
  });

  test('history: what was built, how it went, and what belongs to it', async () => {
    await docker.ok('docker buildx build -q --metadata-file metadata --build-arg WORD=kept --label a=b p');
    const metadata = JSON.parse(readFileSync(`${docker.dir}/metadata`, 'utf8'));
    const ref = metadata['buildx.build.ref'].split('/').at(-1);
    await docker.check({ line: 'docker buildx build -f p/Failing p', code: 1 });
    const failed = await docker.ok(
      `docker buildx history ls --filter status=error --format '{{.Ref}}' | head -n 1 | sed 's,.*/,,'`,
    );
    await docker.checkAll([
      { line: `docker buildx history ls --filter ref=${ref}`, out: new RegExp(`${ref} +p +Completed`) },
      {
        line: `docker buildx history inspect ${ref}`,
        out: /WORD\s+kept[^]*a\s+b[^]*pkg:docker\/busybox@latest[^]*slsa.dev\/provenance\/v0.2/,
      },
      { line: `docker buildx history inspect attachment ${ref} --type provenance`, out: /"llbDefinition"/ },
      { line: `docker buildx history logs ${ref}`, err: /word: kept/ },
      { line: `docker buildx history inspect ${failed}`, out: /exit code: 9[^]*Logs:[^]*> before\n> lost/ },
      {
        line: `docker buildx history export -o b.dockerbuild ${ref} && tar -tzf b.dockerbuild`,
        out: /index.json/,
      },
      { line: `docker buildx history rm ${ref} ${failed}` },
      { line: `docker buildx history inspect ${ref}`, code: 1, err: /no record found for ref/ },
      { line: `docker buildx history rm ${ref}`, code: 1, err: /there is no build/ },
    ]);
  });

  test('build: failures show where and what', async () => {
    await docker.checkAll([
      {
        line: 'docker buildx build --progress plain -f p/Failing p',
        code: 1,
        err: /before.*lost.*Failing:2\n-+\n +1 \| +FROM busybox\n +2 \| >>> RUN .*exit code: 9/s,
      },
      { line: 'docker buildx build -f p/Wrong p', code: 1, err: /Wrong:2\n.*unknown instruction: RUM/s },
      { line: 'docker buildx build -f p/Missing p', code: 1, err: /Missing: no such file or directory/ },
    ]);
  });

  test('build: checks and questions', async () => {
    writeFileSync(`${docker.dir}/p/Casing`, 'FROM busybox as One\nCMD true\n');
    await docker.checkAll([
      {
        line: 'docker buildx build --check -f p/Casing p',
        code: 1,
        out: /FromAsCasing.*StageNameCasing|StageNameCasing.*FromAsCasing/s,
      },
      { line: 'docker buildx build --check p', out: /no warnings found/ },
      { line: 'docker buildx build --call targets -f p/Casing p 2>/dev/null', out: /one \(default\)/ },
      { line: 'docker buildx build --call outline p 2>/dev/null', out: /WORD +default.*token/s },
    ]);
  });

  test('build: from standard input, from other contexts, to folders and archives', async () => {
    await docker.checkAll([
      {
        line: 'tar -C p -c Dockerfile files | docker buildx build -q -t piped - && docker run --rm piped',
        out: /changed/,
      },
      {
        line: 'printf "FROM busybox\\nCOPY --from=other a /b\\nCMD cat /b" | docker buildx build -q -t named --build-context other=p/files -f - p && docker run --rm named',
        out: /changed/,
      },
      { line: 'docker buildx build -q --build-context busybox=docker-image://one:1 -t based p' },
      { line: 'docker buildx build -q -f p/Empty -o out p && cat out/deep/run.sh', out: /echo ran/ },
      {
        line: 'docker buildx build -q -f p/Empty -o type=tar,dest=out.tar p && tar -tf out.tar',
        out: /deep\/run.sh/,
      },
      {
        line: 'docker buildx build -q -t archive:1 -o type=docker,dest=d.tar p && docker load -i d.tar',
        out: /archive:1/,
      },
      {
        line: 'docker buildx build -q -o type=oci,dest=o.tar p && tar -xOf o.tar index.json',
        out: /manifests/,
      },
    ]);
  });

  test('build: to and from OCI layouts that are folders of the client', async () => {
    await docker.checkAll([
      {
        line: 'docker buildx build -q -t laid -o type=oci,dest=layout,tar=false p && cat layout/index.json',
        out: /manifests/,
      },
      {
        line: 'printf "FROM base\nRUN echo more >>/all/files/a\n" | docker buildx build -q -t relaid --build-context base=oci-layout://layout -f - p && docker run --rm relaid',
        out: /changed\nmore/,
      },
      {
        line: 'printf "FROM base\n" | docker buildx build --build-context base=oci-layout://layout@sha256:$(printf %064d 1) -f - p',
        code: 1,
        err: /the client's store has no sha256:0+1/,
      },
    ]);
  });

  test('build: pushes with what the client is logged in with', async () => {
    const user = { name: 'me', password: 's3cret' };
    await using registry = await startDebianRegistry({ user });
    const name = `${registry.host}/guarded`;
    await docker.checkAll([
      { line: `docker buildx build -q --push -t ${name} p`, code: 1, err: /./ },
      { line: `docker login -u me --password-stdin ${registry.host} <<<s3cret`, out: /Succeeded/ },
      { line: `docker buildx build -q --push -t ${name} p`, out: /^sha256:/ },
      { line: `printf "FROM ${name}\n" | docker buildx build -q --pull -f - p`, out: /^sha256:/ },
    ]);
  });

  test('build: credentials stay with the client where it can get tokens itself', async () => {
    await using service = await openTokenService({ users: { me: 's3cret' } });
    await using registry = await openFaultyRegistry({ guard: service.guard() });
    registry.content.addImage('app', [], { tag: '1' });
    let seen = 0;
    const askers = (): string[] => {
      const requests = service.server.requests.slice(seen);
      seen += requests.length;
      return requests.map(({ headers }) => headers['user-agent']?.split('/')[0] ?? '');
    };
    const line = `printf 'FROM ${registry.host}/app:1\n' | docker buildx build --pull --progress plain -f - p`;
    const anonymous = await docker.run(line);
    assert.equal(anonymous.code, 0, anonymous.stderr);
    assert.deepEqual(askers(), ['skiff']);
    const auth = Buffer.from('me:s3cret').toString('base64');
    const config = readFileSync(`${docker.dir}/config.json`);
    writeFileSync(`${docker.dir}/config.json`, JSON.stringify({ auths: { [registry.host]: { auth } } }));
    try {
      const known = await docker.run(line);
      assert.equal(known.code, 0, known.stderr);
      assert.match(known.stderr, /\[auth\] app:pull token for/);
      assert.ok(!askers().includes('skiff'));
      const shared = await docker.run(`export BUILDKIT_NO_CLIENT_TOKEN=1; ${line}`);
      assert.equal(shared.code, 0, shared.stderr);
      assert.match(shared.stderr, /\[auth\] sharing credentials for/);
      assert.ok(askers().includes('skiff'));
    } finally {
      writeFileSync(`${docker.dir}/config.json`, config);
    }
  });

  test('bake: targets that build on each other', async () => {
    const base = { context: 'p', dockerfile: 'Empty' };
    const inline = 'FROM busybox\nCOPY --from=base /a /a\nCMD cat /a\n';
    const app = {
      context: 'p',
      contexts: { base: 'target:base' },
      'dockerfile-inline': inline,
      tags: ['app:1'],
    };
    const other = { context: 'p', args: { WORD: 'baked' }, tags: ['other:1'] };
    const file = { group: { default: { targets: ['app', 'other'] } }, target: { base, app, other } };
    writeFileSync(`${docker.dir}/bake.json`, JSON.stringify(file));
    const baked = await docker.run('docker buildx bake -f bake.json --progress plain');
    assert.equal(baked.code, 0, baked.stderr);
    assert.match(baked.stderr, /word: baked/);
    assert.equal(await docker.ok('docker run --rm app:1'), 'changed');
  });

  test('build: caches in folders of the client and in images; push', async () => {
    await using registry = await startDebianRegistry();
    const name = `${registry.host}/app`;
    await docker.checkAll([
      { line: 'docker buildx build -q --cache-to type=local,dest=buildx-cache,mode=max p' },
      { line: `docker buildx build -q --push -t ${name}:1 --cache-to type=registry,ref=${name}:cache p` },
      { line: `docker buildx imagetools inspect ${name}:1`, out: /MediaType: +application/ },
      { line: 'docker buildx prune -af', out: /Total:/ },
      {
        line: 'docker buildx build --progress plain --cache-from type=local,src=buildx-cache p',
        err: /COPY \. \/all\n(#.*\n)*?#\d+ CACHED/,
      },
      { line: 'docker buildx prune -af', out: /Total:/ },
      {
        line: `docker buildx build --progress plain --cache-from type=registry,ref=${name}:cache p`,
        err: /COPY \. \/all\n(#.*\n)*?#\d+ CACHED/,
      },
      { line: 'docker buildx du', out: /Reclaimable:/ },
      { line: 'docker buildx history ls', out: /Completed/ },
      { line: 'docker buildx inspect', out: /Status: +running/ },
    ]);
  });

  test('build: a client that is killed leaves nothing', async () => {
    writeFileSync(`${docker.dir}/p/Slow`, 'FROM busybox\nRUN echo started; sleep 1000\n');
    await docker.ok('docker buildx build -q -f p/Empty p');
    await leakCheck(daemon, async () => {
      // The plugin by itself: with an older docker command in front of it, that would be killed, and the client live on.
      const line =
        './cli-plugins/docker-buildx build --progress plain -f p/Slow p >slow.log 2>&1 & echo $! >slow.pid; wait';
      const running = docker.run(line);
      const log = () =>
        existsSync(`${docker.dir}/slow.log`) ? readFileSync(`${docker.dir}/slow.log`, 'utf8') : '';
      await until(() => /started/.test(log()), { what: 'the step runs' });
      process.kill(Number(readFileSync(`${docker.dir}/slow.pid`, 'utf8')), 'SIGKILL');
      await running;
    });
  });
});
