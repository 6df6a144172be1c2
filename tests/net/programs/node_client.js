#!/usr/bin/env node
// SPDX-License-Identifier: MIT
//
// node_client.js ADDRESS HTTP_PORT NET_PORT RR_PORT NONE_PORT FILE SEEN: every check against the four
// kinds of node_server.js. For each it prints its name and `ok`, or why not. SEEN: the address that
// the server must see; the environment's HOLE: one at whose port 9 nobody answers.
'use strict';
const assert = require('assert');
const crypto = require('crypto');
const fs = require('fs');
const http = require('http');
const net = require('net');
const { fork } = require('child_process');
const { once } = require('events');
const { pipeline } = require('stream/promises');

const [host, httpPort, netPort, rrPort, nonePort, file, seen] = process.argv.slice(2);
const sha256 = (data) => crypto.createHash('sha256').update(data).digest('hex');

async function collect(stream) {
  const parts = [];
  for await (const part of stream) parts.push(part);
  return Buffer.concat(parts);
}

// One exchange: { body, connection, process }
async function ask(options, body) {
  const request = http.request({ host, port: httpPort, ...options });
  request.end(body);
  const [response] = await once(request, 'response');
  return {
    body: await collect(response),
    connection: response.headers['x-connection'],
    process: response.headers['x-process'],
  };
}

// A connection to the net server that has said its word.
async function connect(word, options) {
  const socket = net.connect({ host, port: netPort, ...options });
  await once(socket, 'connect');
  socket.write(`${word}\n`);
  return socket;
}

async function refused(port) {
  await assert.rejects(once(net.connect({ host, port }), 'connect'), { code: 'ECONNREFUSED' });
}

const times = (n, work) => Promise.all(Array.from({ length: n }, (_, i) => work(i)));

const checks = {
  async agent() {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 10 });
    const connections = new Set();
    await times(200, async () => {
      const body = crypto.randomBytes(10000);
      const got = await ask({ agent, method: 'POST', path: '/' }, body);
      assert(got.body.equals(body));
      connections.add(got.connection);
    });
    agent.destroy();
    assert(connections.size <= 10);
  },

  async parallel() {
    const agent = new http.Agent({ maxSockets: Infinity });
    const connections = new Set();
    await times(200, async () => {
      const body = crypto.randomBytes(10000);
      const got = await ask({ agent, method: 'POST', path: '/' }, body);
      assert(got.body.equals(body));
      connections.add(got.connection);
    });
    assert.strictEqual(connections.size, 200);
  },

  async pipelined() {
    const socket = net.connect(httpPort, host);
    const paths = Array.from({ length: 100 }, (_, i) => `/path-${i}.`);
    const head = (path, i) => `GET ${path} HTTP/1.1\r\nHost: x\r\n${i === 99 ? 'Connection: close\r\n' : ''}\r\n`;
    socket.write(paths.map(head).join(''));
    const text = (await collect(socket)).toString();
    assert.deepStrictEqual(text.match(/\/path-\d+\./g), paths);
  },

  async fetch() {
    const url = `http://${host}:${httpPort}/`;
    await times(50, async (i) => {
      const body = crypto.randomBytes(20000);
      const r = await fetch(url, { method: 'POST', body });
      assert(Buffer.from(await r.arrayBuffer()).equals(body));
      assert.strictEqual(await (await fetch(url + i)).text(), `/${i}`);
    });
  },

  async streams() {
    const wanted = sha256(fs.readFileSync(file));
    const up = http.request({ host, port: httpPort, method: 'PUT', path: '/' });
    const [[response]] = await Promise.all([once(up, 'response'), pipeline(fs.createReadStream(file), up)]);
    assert.strictEqual((await collect(response)).toString(), wanted);
    const down = http.get({ host, port: httpPort, path: '/file' });
    const hash = crypto.createHash('sha256');
    await pipeline((await once(down, 'response'))[0], hash);
    assert.strictEqual(hash.digest('hex'), wanted);
  },

  async client() {
    const who = (await ask({ path: '/client' })).body.toString();
    assert.strictEqual(who, `::ffff:${seen}`);
  },

  async halfopen() {
    const data = crypto.randomBytes(1000000);
    // we end first, and hear the answer
    let socket = await connect('sum');
    socket.end(data);
    assert.strictEqual((await collect(socket)).toString(), sha256(data));
    // the server ends first, and hears the rest
    socket = await connect('first', { allowHalfOpen: true });
    socket.resume();
    await once(socket, 'end');
    socket.end(data);
    await once(socket, 'close');
    let last = '';
    while (last === '') last = (await collect(await connect('last'))).toString();
    assert.strictEqual(last, sha256(data));
  },

  async close() {
    const socket = await connect('close');
    assert.strictEqual((await once(socket, 'data')).toString(), 'closed');
    await refused(netPort);
    socket.end('alive');
    assert.strictEqual((await collect(socket)).toString(), 'alive');
    for (;;) { // until it listens again
      try {
        const again = await connect('echo');
        again.end('again');
        assert.strictEqual((await collect(again)).toString(), 'again');
        return;
      } catch (e) {
        if (e.code !== 'ECONNREFUSED') throw e;
      }
    }
  },

  async errors() {
    await refused(10);
    const socket = await connect('reset');
    socket.write('now');
    await assert.rejects(once(socket, 'close'), { code: 'ECONNRESET' });
    const quiet = await connect('silent');
    quiet.setTimeout(100);
    await once(quiet, 'timeout');
    quiet.destroy();
    const signal = AbortSignal.timeout(100);
    await assert.rejects(ask({ host: process.env.HOLE, port: 9, signal }), { name: 'AbortError' });
  },

  // of two addresses the first cannot be reached
  async families() {
    const lookup = (name, options, done) => done(null, [
      { address: 'fd00:77::1', family: 6 }, { address: host, family: 4 }]);
    const socket = await connect('echo', { host: 'both', lookup, autoSelectFamily: true });
    socket.end('here');
    assert.strictEqual((await collect(socket)).toString(), 'here');
  },

  // the child, which got our connection by SCM_RIGHTS, sends (and does not read: the answer is ours)
  async handle() {
    const socket = await connect('sum');
    const child = fork(__filename);
    child.send('socket', socket, { keepOpen: true });
    assert.deepStrictEqual(await once(child, 'exit'), [0, null]);
    socket.end();
    assert.strictEqual((await collect(socket)).toString(), sha256('by the child'));
  },

  async cluster(port) {
    const agent = new http.Agent();
    const workers = new Set();
    await times(60, async () => {
      const body = crypto.randomBytes(10000);
      const got = await ask({ agent, port, method: 'POST', path: '/' }, body);
      assert(got.body.equals(body));
      workers.add(got.process);
    });
    return workers.size;
  },

  async rr() {
    assert.strictEqual(await checks.cluster(rrPort), 2);
  },

  async none() {
    await checks.cluster(nonePort);
  },
};

function child() {
  process.once('message', (_, socket) => {
    socket.write('by the child', () => process.exit(0));
  });
}

async function main() {
  for (const name of Object.keys(checks).filter((n) => n !== 'cluster')) {
    try {
      await checks[name]();
      console.log(`${name} ok`);
    } catch (e) {
      console.log(`${name} ${e.stack}`);
    }
  }
  process.exit(0);
}

if (process.send) child();
else main();
