const fs = require('fs');
fs.mkdirSync('w'); const seen = [];
const w = fs.watch('w', (e, f) => { seen.push(e + ' ' + f); });
w.on('error', e => console.log(e.message));
setTimeout(() => { fs.writeFileSync('w/a', '1'); fs.appendFileSync('w/a', '2'); fs.renameSync('w/a', 'w/b'); fs.unlinkSync('w/b'); }, 50);
setTimeout(() => { console.log([...new Set(seen)].join('\n')); w.close(); fs.rmSync('w', { recursive: true }); }, 300);
