const { Worker, isMainThread, parentPort, workerData, threadId } = require('worker_threads');
const { spawn, execFileSync, fork } = require('child_process');
if (!isMainThread) {
  let n = 0; for (let i = 0; i < 20000; i++) n += i % workerData.k;
  Atomics.add(new Int32Array(workerData.shared), 0, 1); Atomics.notify(new Int32Array(workerData.shared), 0);
  parentPort.on('message', m => { parentPort.postMessage({ k: workerData.k, n, m }); if (m === 'end') process.exit(workerData.k); });
} else if (process.argv[2] === 'child') {
  process.on('message', m => { process.send({ echo: m }); process.disconnect(); });
} else {
  (async () => {
    const shared = new SharedArrayBuffer(4);
    const results = await Promise.all([2, 3, 4].map(k => new Promise(ok => {
      const w = new Worker(__filename, { workerData: { k, shared } }); const got = [];
      w.on('message', m => got.push(m)); w.on('exit', c => ok([c, got])); w.postMessage('hi'); w.postMessage('end');
    })));
    console.log(JSON.stringify(results), new Int32Array(shared)[0]);
    console.log(String(execFileSync('sh', ['-c', 'echo from the shell'])));
    const c = spawn('sh', ['-c', 'cat; echo err >&2; exit 3']); c.stdout.on('data', d => console.log('out', String(d))); c.stderr.on('data', d => console.log('err', String(d))); c.stdin.end('through cat');
    console.log(await new Promise(ok => c.on('close', (code, sig) => ok([code, sig]))));
    const k = spawn('sleep', ['100']); k.kill(); console.log(await new Promise(ok => k.on('exit', (code, sig) => ok([code, sig]))));
    const f = fork(__filename, ['child']); f.on('message', m => console.log(m)); f.send({ a: [1, 2] }); console.log(await new Promise(ok => f.on('exit', ok)));
    process.on('SIGUSR2', () => { console.log('usr2'); process.exit(5); }); process.kill(process.pid, 'SIGUSR2'); setInterval(() => {}, 1000);
  })();
}
