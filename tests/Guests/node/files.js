const fs = require('fs'), path = require('path'), os = require('os'), crypto = require('crypto'), zlib = require('zlib');
fs.mkdirSync('t/a/b', { recursive: true });
fs.writeFileSync('t/x', 'hello\n'.repeat(1000));
fs.appendFileSync('t/x', 'end');
console.log(fs.statSync('t/x').size, fs.readFileSync('t/x', 'utf8').slice(-5));
fs.symlinkSync('x', 't/link'); fs.linkSync('t/x', 't/hard'); fs.renameSync('t/hard', 't/a/hard');
console.log(fs.readlinkSync('t/link'), fs.readdirSync('t').sort(), fs.statSync('t/x').nlink);
try { fs.readFileSync('missing'); } catch (e) { console.log(e.message, e.code, e.errno); }
fs.copyFileSync('t/x', 't/copy'); fs.chmodSync('t/copy', 0o600); console.log((fs.statSync('t/copy').mode & 0o777).toString(8));
const fd = fs.openSync('t/copy', 'r+'); fs.writeSync(fd, 'HELLO', 0); fs.ftruncateSync(fd, 10); fs.closeSync(fd); console.log(JSON.stringify(fs.readFileSync('t/copy', 'utf8')));
(async () => {
  await fs.promises.writeFile('t/p', 'promised'); console.log(await fs.promises.readFile('t/p', 'utf8'));
  const many = await Promise.all(Array.from({ length: 50 }, (_, i) => fs.promises.writeFile(`t/a/b/${i}`, String(i)).then(() => fs.promises.stat(`t/a/b/${i}`))));
  console.log(many.reduce((s, x) => s + x.size, 0));
  await new Promise(done => fs.createReadStream('t/x').pipe(zlib.createGzip()).pipe(fs.createWriteStream('t/x.gz')).on('finish', done));
  console.log(zlib.gunzipSync(fs.readFileSync('t/x.gz')).length, crypto.createHash('sha256').update(fs.readFileSync('t/x')).digest('hex'));
  for await (const d of await fs.promises.opendir('t/a')) console.log(d.name, d.isDirectory());
  fs.rmSync('t', { recursive: true }); console.log(fs.existsSync('t'));
})();
