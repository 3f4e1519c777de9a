const fs = require('fs');
fs.mkdirSync('w'); const seen = new Set();
const w = fs.watch('w', (e, f) => {
  // The last that happens is the last that is told of.
  if (f === 'end') { console.log([...seen].join('\n')); w.close(); fs.rmSync('w', { recursive: true }); } else seen.add(e + ' ' + f);
});
w.on('error', e => console.log(e.message));
setTimeout(() => { fs.writeFileSync('w/a', '1'); fs.appendFileSync('w/a', '2'); fs.renameSync('w/a', 'w/b'); fs.unlinkSync('w/b'); fs.writeFileSync('w/end', ''); }, 50);
