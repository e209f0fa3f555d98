import Koa from 'koa';

const app = new Koa();
app.use((ctx) => {
  ctx.body = `Hello from Koa on Node ${process.versions.node}\n`;
});
const server = app.listen(3000, () => console.log('listening on port 3000'));
process.on('SIGTERM', () => server.close());
