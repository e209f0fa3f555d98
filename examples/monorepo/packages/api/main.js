import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { greeting } from '../shared/greeting.js';

const page = new URL('site/index.html', import.meta.url);
const server = createServer(({ url }, response) => {
  if (url === '/' && existsSync(page)) return response.end(readFileSync(page));
  response.end(`${greeting(url.slice(1))}\n`);
});
server.listen(3000);
process.on('SIGTERM', () => server.close());
