import assert from 'node:assert/strict';
import { test } from 'node:test';
import { basic, openRegistry, pushImage, statusOf, users } from '#tests/configured-registry.ts';

const withUsers = {
  auth: {
    htpasswd: { path: 'users' },
    admins: ['root'],
    rules: [
      { repositories: ['team/**'], who: ['alice'] },
      { who: ['root'] },
      { repositories: ['public/**'], who: ['anyone'], verbs: ['pull', 'list'] },
    ],
  },
};

test('Registry: who may do what holds for content, listings, mounts and searches', async () => {
  await using opened = await openRegistry(withUsers, users('alice', 'bob', 'root'));
  const { url } = opened;
  assert.equal(await pushImage(url, 'team/app', basic('alice')), 201);
  assert.equal(await pushImage(url, 'public/app', basic('root')), 201);
  assert.equal(await pushImage(url, 'team/app', basic('bob')), 403);
  assert.equal(await pushImage(url, 'public/app', basic('alice')), 403);
  assert.equal(await pushImage(url, 'public/app'), 401);
  assert.equal(await statusOf(`${url}/v2/team/app/manifests/latest`), 401);
  assert.equal(await statusOf(`${url}/v2/team/app/manifests/latest`, basic('bob')), 403);
  assert.equal(await statusOf(`${url}/v2/public/app/manifests/latest`), 200);
  assert.equal(await statusOf(`${url}/v2/public/app/manifests/latest`, { Authorization: 'Basic eDp5' }), 401);
  const seen = async (path: string, headers: Record<string, string> = {}): Promise<unknown> =>
    (await fetch(`${url}${path}`, { headers })).json();
  assert.deepEqual(await seen('/v2/_catalog'), { repositories: ['public/app'] });
  assert.deepEqual(await seen('/v2/_catalog', basic('alice')), { repositories: ['public/app', 'team/app'] });
  const search = (await seen('/v1/search?q=app', basic('alice'))) as { results: { name: string }[] };
  assert.deepEqual(
    search.results.map(({ name }) => name),
    ['public/app', 'team/app'],
  );
  assert.deepEqual((await seen('/v1/search?q=app&n=1')) as object, {
    query: 'app',
    num_results: 1,
    num_pages: 1,
    page: 1,
    page_size: 1,
    results: [
      {
        name: 'public/app',
        description: '',
        star_count: 0,
        is_official: false,
        is_automated: false,
        is_trusted: false,
      },
    ],
  });
  const manifest = (await seen('/v2/team/app/manifests/latest', basic('root'))) as {
    layers: { digest: string }[];
  };
  const mount = `${url}/v2/team/copy/blobs/uploads/?mount=${manifest.layers[0]?.digest}&from=`;
  const secret = await fetch(`${mount}team/app`, { method: 'POST', headers: basic('alice') });
  assert.equal(secret.status, 201);
  assert.equal(await pushImage(url, 'private/x', basic('root')), 201);
  const hidden = (await seen('/v2/private/x/manifests/latest', basic('root'))) as {
    layers: { digest: string }[];
  };
  const stolen = await fetch(
    `${url}/v2/team/copy/blobs/uploads/?mount=${hidden.layers[0]?.digest}&from=private/x`,
    { method: 'POST', headers: basic('alice') },
  );
  assert.equal(stolen.status, 202, 'a mount from where one may not pull is an ordinary upload');
  assert.equal(await statusOf(`${url}/metrics`, basic('alice')), 403);
  assert.equal(await statusOf(`${url}/metrics`, basic('root')), 200);
});

test('Registry: the token endpoint gives what the rules allow, and clients find it by the challenge', async () => {
  await using opened = await openRegistry(withUsers, users('alice', 'root'));
  const { url } = opened;
  const asked = await fetch(`${url}/v2/`);
  const challenge = asked.headers.get('www-authenticate') ?? '';
  assert.equal(challenge, `Bearer realm="${url}/auth/token",service="skiff-registry"`);
  const tokenOf = async (
    query: string,
    headers: Record<string, string> = {},
  ): Promise<Record<string, string>> => {
    const response = await fetch(`${url}/auth/token?service=skiff-registry&${query}`, { headers });
    const { token } = (await response.json()) as { token: string };
    return { Authorization: `Bearer ${token}` };
  };
  const alice = await tokenOf('scope=repository:team/app:pull,push', basic('alice'));
  assert.equal(await statusOf(`${url}/v2/`, alice), 200);
  assert.equal(await pushImage(url, 'team/app', alice), 201);
  assert.equal(await pushImage(url, 'team/other', alice), 401, 'the token is for one repository');
  const nobody = await tokenOf('scope=repository:team/app:pull&scope=repository:public/x:pull');
  assert.equal(await statusOf(`${url}/v2/team/app/manifests/latest`, nobody), 401);
  assert.equal(await statusOf(`${url}/v2/public/x/manifests/latest`, nobody), 404);
  const wrong = await fetch(`${url}/auth/token`, { headers: { Authorization: 'Basic YWxpY2U6eA==' } });
  assert.equal(wrong.status, 401);
  const form = (fields: Record<string, string>): Promise<Response> =>
    fetch(`${url}/auth/token`, { method: 'POST', body: new URLSearchParams(fields) });
  const login = { grant_type: 'password', username: 'alice', scope: 'repository:team/app:pull' };
  const granted = (await (await form({ ...login, password: 'alice-pw' })).json()) as Record<string, string>;
  assert.equal(granted['scope'], 'repository:team/app:pull');
  assert.equal(
    await statusOf(`${url}/v2/team/app/manifests/latest`, {
      Authorization: `Bearer ${granted['access_token']}`,
    }),
    200,
  );
  assert.equal((await form({ ...login, password: 'x' })).status, 401);
  assert.equal((await form({ grant_type: 'refresh_token' })).status, 400);
  assert.equal(await statusOf(`${url}/auth/token?scope=nonsense`), 400);
});

test('Registry.reload: users, rules and rates of another configuration count, a wrong one changes nothing', async () => {
  await using opened = await openRegistry(withUsers, users('alice', 'bob', 'root'));
  const { registry, url, configure } = opened;
  assert.equal(await pushImage(url, 'team/app', basic('bob')), 403);
  const rules = [{ repositories: ['team/*'], who: ['bob'] }];
  registry.reload(configure({ auth: { htpasswd: { path: 'users' }, rules } }));
  assert.equal(await pushImage(url, 'team/app', basic('bob')), 201);
  assert.equal(await pushImage(url, 'team/app', basic('alice')), 403);
  assert.throws(
    () => registry.reload(configure({ auth: { htpasswd: { path: 'nobody' } } })),
    /auth\.htpasswd\.path/,
  );
  assert.equal(await pushImage(url, 'team/app', basic('bob')), 201);
  registry.reload(configure({ limits: { requests: { perSecond: 0.1, burst: 2 } } }));
  assert.deepEqual([await statusOf(`${url}/v2/`), await statusOf(`${url}/v2/`)], [200, 200]);
  const refused = await fetch(`${url}/v2/`);
  assert.equal(refused.status, 429);
  assert.ok(Number(refused.headers.get('retry-after')) >= 1);
});
