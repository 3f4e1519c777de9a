const http = require('http'), net = require('net');
const server = http.createServer((q, r) => {
  let body = ''; q.on('data', d => body += d); q.on('end', () => { r.setHeader('X-Length', body.length); r.end(`${q.method} ${q.url} ${body.slice(0, 10)}`); });
});
function ask(port, options, body) {
  return new Promise((ok, bad) => { const q = http.request({ port, host: '127.0.0.1', ...options }, r => { let t = ''; r.on('data', d => t += d); r.on('end', () => ok(`${r.statusCode} ${r.headers['x-length']} ${t}`)); }); q.on('error', bad); q.end(body); });
}
server.listen(0, '127.0.0.1', async () => {
  const port = server.address().port;
  console.log(await ask(port, { path: '/a?b=c' }));
  console.log(await ask(port, { method: 'POST', path: '/post' }, 'x'.repeat(300000)));
  const all = await Promise.all(Array.from({ length: 50 }, (_, i) => ask(port, { path: '/' + i }))); console.log(all.join('|'));
  console.log(await (await fetch(`http://127.0.0.1:${port}/fetched`, { method: 'PUT', body: 'body' })).text());
  server.close(); server.closeAllConnections();
  try { await ask(port, { agent: new http.Agent() }); } catch (e) { console.log(e.code); }
  const unix = net.createServer(c => c.end('from a UNIX socket')).listen('sock', () => { net.connect('sock').on('data', d => console.log(String(d))).on('close', () => unix.close()); });
});
