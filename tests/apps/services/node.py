# SPDX-License-Identifier: Apache-2.0
"""Node.js: modules that lean on the system, an HTTP server under load, worker threads."""
from .harness import Case, free_port
from .nginx import wrk
from .web import conversation

PACKAGE = "nodejs"
MODULES = """
const fs = require('fs'), os = require('os'), path = require('path'), zlib = require('zlib'), crypto = require('crypto');
const assert = require('assert'), { promisify } = require('util'), stream = require('stream/promises');
const dir = fs.mkdtempSync('/tmp/nacre-node-');
async function main() {
  console.log('hello', process.argv.length, process.version, os.EOL === '\\n', path.join('/a', '../b'));
  const data = Buffer.alloc(3 << 20, 'nacre ');
  const file = path.join(dir, 'data');
  await fs.promises.writeFile(file, data);
  await stream.pipeline(fs.createReadStream(file), zlib.createGzip(), fs.createWriteStream(file + '.gz'));
  await stream.pipeline(fs.createReadStream(file + '.gz'), zlib.createGunzip(), fs.createWriteStream(file + '.out'));
  assert(fs.readFileSync(file + '.out').equals(data));
  console.log('zlib', zlib.brotliDecompressSync(zlib.brotliCompressSync(data.subarray(0, 100000))).length);
  console.log('hash', crypto.createHash('sha256').update(data).digest('hex'));
  console.log('pbkdf2', (await promisify(crypto.pbkdf2)('p', 's', 20000, 32, 'sha512')).toString('hex'));
  console.log('scrypt', crypto.scryptSync('p', 's', 32).toString('hex'));
  const { publicKey, privateKey } = crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const signature = crypto.sign('sha256', data, privateKey);
  console.log('sign', crypto.verify('sha256', data, publicKey, signature), crypto.verify('sha256', dir, publicKey, signature));
  const cipher = crypto.createCipheriv('aes-256-gcm', Buffer.alloc(32, 1), Buffer.alloc(12, 2));
  console.log('gcm', cipher.update('text', 'utf8', 'hex') + cipher.final('hex'), cipher.getAuthTag().toString('hex'));
  fs.mkdirSync(path.join(dir, 'a/b/c'), { recursive: true });
  fs.symlinkSync('data', path.join(dir, 'link'));
  console.log('dir', fs.readdirSync(dir).sort(), fs.readlinkSync(path.join(dir, 'link')), fs.statSync(file).size);
  const seen = new Promise(done => { const w = fs.watch(dir, (kind, name) => { w.close(); done([kind, name]); }); });
  fs.writeFileSync(path.join(dir, 'watched'), 'x');
  console.log('watch', await seen);
  try { fs.readFileSync('/nonexistent'); } catch (e) { console.log(e.code, e.syscall); }
  const results = await Promise.all([...Array(50).keys()].map(i => fs.promises.readFile(file).then(b => b.length + i)));
  console.log('parallel', results.reduce((a, b) => a + b));
  await new Promise(r => setTimeout(r, 20));
  console.log('bigint', (2n ** 200n).toString(), Intl.DateTimeFormat('de', { timeZone: 'Asia/Tokyo' }).format(new Date(0)));
  console.log('wasm', new WebAssembly.Instance(new WebAssembly.Module(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, 1, 7, 1, 96,
    2, 127, 127, 1, 127, 3, 2, 1, 0, 7, 7, 1, 3, 97, 100, 100, 0, 0, 10, 9, 1, 7, 0, 32, 0, 32, 1, 106, 11]))).exports.add(2, 40));
  fs.rmSync(dir, { recursive: true });
}
main().then(() => process.exit(7), e => { console.log(e); process.exit(1); });
"""
WORKERS = """
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');
if (isMainThread) {
  const shared = new SharedArrayBuffer(8);
  const jobs = [...Array(6).keys()].map(i => new Promise((done, fail) => {
    const w = new Worker(__filename, { workerData: { i, shared } });
    w.on('message', done); w.on('error', fail);
  }));
  Promise.all(jobs).then(r => {
    console.log(r, Atomics.load(new Int32Array(shared), 0));
    const late = new Worker('while (true);', { eval: true });
    late.on('online', () => setTimeout(() => late.terminate().then(code => console.log('terminated', code)), 50));
    const bad = new Worker('throw new Error("on purpose")', { eval: true });
    bad.on('error', e => console.log(e.message));
  });
} else {
  let keep = [];
  for (let k = 0; k < 200000; k++) { keep.push({ k, s: 'x' + k }); if (keep.length > 20000) keep = []; }
  const cells = new Int32Array(workerData.shared);
  for (let k = 0; k < 10000; k++) Atomics.add(cells, 0, 1);
  Atomics.wait(cells, 1, 0, 20);
  parentPort.postMessage([workerData.i, keep.length]);
}
"""
CHILDREN = """
const cp = require('child_process'), assert = require('assert');
console.log('exec', cp.execSync('echo hello from $0; exit 0').toString());
const { pid, ...sync } = cp.spawnSync('sh', ['-c', 'cat; echo err >&2; exit 3'], { input: 'given', encoding: 'utf8' });
console.log('spawnSync', pid > 0, sync);
const s = cp.spawn('sort', ['-n']); let out = ''; s.stdout.on('data', d => out += d);
for (let i = 1000; i > 0; i--) s.stdin.write(i + '\\n'); s.stdin.end();
s.on('close', code => {
  console.log('sort', code, out.split('\\n').length, out.slice(0, 6));
  const f = cp.fork(process.argv[2]);
  f.on('message', m => { console.log('from child', m); f.disconnect(); });
  f.on('exit', (code, signal) => {
    console.log('child ended', code, signal);
    const k = cp.spawn('sleep', ['100']); k.on('exit', (c, sig) => { console.log('killed', c, sig);
      cp.execFile('/no/such/program', e => console.log(e.code)); }); k.kill('SIGKILL');
  });
  f.send({ question: [6, 7] });
});
"""
CHILD = "process.on('message', m => process.send({ answer: m.question[0] * m.question[1] })); process.on('disconnect', () => process.exit(4));"
SERVER = """
const http = require('http'), crypto = require('crypto');
const server = http.createServer((q, a) => {
  if (q.method === 'POST') {
    const h = crypto.createHash('sha256');
    q.on('data', d => h.update(d)).on('end', () => a.end(h.digest('hex')));
  } else if (q.url === '/big') { a.end(Buffer.alloc(2 << 20, 'nacre')); }
  else if (q.url.startsWith('/later')) { setTimeout(() => a.end('later\\n'), 10); }
  else if (q.url === '/missing') { a.writeHead(404); a.end('none\\n'); }
  else { a.setHeader('content-type', 'text/plain'); a.end('hello ' + q.url + '\\n'); }
});
server.listen(+process.argv[2], '127.0.0.1');
process.on('SIGTERM', () => { console.log('stopping'); server.close(() => process.exit(5)); server.closeIdleConnections(); });
"""


def check_modules(side, box):
    return [("modules", side.run(["node", box.file("modules.js", MODULES), "a b"])[:2])]


def check_workers(side, box):
    return [("workers", side.run(["node", box.file("workers.js", WORKERS)])[:2])]


def check_children(side, box):
    return [("children", side.run(["node", box.file("parent.js", CHILDREN), box.file("child.js", CHILD)])[:2])]


def check_npm(side, box):
    box.file("package/package.json", '{"name": "nacre-test", "version": "1.2.3", "scripts": {"hi": "echo hi $npm_package_version", '
             '"fails": "exit 3"}, "files": ["a.js"]}')
    box.file("package/a.js", "module.exports = 1\n")
    seen = []
    for argv in (["--version"], ["run", "hi"], ["run", "fails"], ["pack", "--dry-run"], ["ls"]):
        code, out, _ = side.run(["npm", "--offline", "--no-update-notifier"] + argv, cwd=box.file("package"),
                                env={"npm_config_cache": "/tmp/nacre-npm"})
        seen.append((argv, code, out))
    return seen


def start(side, box):
    port = free_port()
    return port, side.start(["node", box.file("server.js", SERVER), str(port)], ready=port)


def check_server(side, box):
    port, server = start(side, box)
    return conversation(port) + [("exit status", server.stop()), ("output", server.out)]


def load(side, box):
    port, _ = start(side, box)
    return wrk(port, "/x")


CASES = [
    Case("node", "node", PACKAGE, "fs, streams, zlib, brotli, crypto, fs.watch, Intl, WebAssembly; exit status", check_modules),
    Case("node-workers", "node", PACKAGE, "six worker threads that collect garbage, SharedArrayBuffer, Atomics, terminate",
         check_workers),
    Case("node-children", "node", PACKAGE, "child_process: exec, spawn with pipes, fork with messages, kill, a program that is not there",
         check_children),
    Case("npm", "npm", PACKAGE, "npm run, pack, ls", check_npm, needs=("node",)),
    Case("node-http", "node", PACKAGE, "an HTTP server: keep-alive, chunked bodies, uploads, 8 clients, SIGTERM", check_server,
         load=load, idle=start, operation="GET, 16 connections of wrk", needs=("wrk",)),
]
