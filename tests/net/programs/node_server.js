#!/usr/bin/env node
// SPDX-License-Identifier: MIT
//
// node_server.js KIND PORT [FILE]: servers of Node's library, all at the unspecified address (which
// is a dual-stack socket). KIND: http, net, or cluster and the way in which its two workers share
// the port: rr (the primary accepts and passes connections) or none (it passes the listener).
'use strict';
const cluster = require('cluster');
const crypto = require('crypto');
const fs = require('fs');
const http = require('http');
const net = require('net');
const { pipeline } = require('stream');

const [kind, port, file] = process.argv.slice(2);
const ready = () => console.log('listening');

// PUT: its SHA-256; POST: its bytes; GET /file: FILE; GET /client: whom it sees; other: the path.
// Each answer says which connection it came by, counted from 1.
const numbers = new Map();

function answer(request, response) {
  if (!numbers.has(request.socket)) numbers.set(request.socket, numbers.size + 1);
  response.setHeader('X-Connection', numbers.get(request.socket));
  response.setHeader('X-Process', process.pid);
  if (request.method === 'PUT') {
    const hash = crypto.createHash('sha256');
    pipeline(request, hash, () => response.end(hash.digest('hex')));
  } else if (request.method === 'POST') {
    pipeline(request, response, () => {});
  } else if (request.url === '/file') {
    pipeline(fs.createReadStream(file), response, () => {});
  } else if (request.url === '/client') {
    response.end(request.socket.remoteAddress);
  } else {
    response.end(request.url);
  }
}

function serveHttp() {
  const server = http.createServer({ keepAliveTimeout: 120000 }, answer);
  server.listen({ port, backlog: 511 }, ready);
}

// The first line of a connection is a word:
const words = {
  echo: (socket) => socket.pipe(socket),

  // answers after the other end's FIN
  sum: (socket) => {
    const hash = crypto.createHash('sha256');
    socket.on('data', (data) => hash.update(data));
    socket.on('end', () => setTimeout(() => socket.end(hash.digest('hex')), 20));
  },

  // ends first and takes what comes then; `last` says what that was
  first: (socket) => {
    const hash = crypto.createHash('sha256');
    socket.end('over');
    socket.on('data', (data) => hash.update(data));
    socket.on('end', () => { words.digest = hash.digest('hex'); });
  },
  last: (socket) => socket.end(words.digest || ''),

  reset: (socket) => {
    socket.once('data', () => socket.resetAndDestroy());
  },

  // server.close() ends when this connection has; then it listens again
  close: (socket, server) => {
    server.close(() => server.listen(port));
    socket.write('closed');
    socket.pipe(socket);
  },

  silent: (socket) => socket.on('end', () => socket.end()),
};

function serveNet() {
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    let head = '';
    socket.on('error', () => {});
    socket.on('data', function first(data) {
      head += data.toString('latin1');
      const end = head.indexOf('\n');
      if (end < 0) return;
      socket.off('data', first);
      socket.pause();
      if (end + 1 < head.length) socket.unshift(Buffer.from(head.slice(end + 1), 'latin1'));
      words[head.slice(0, end)](socket, server);
      socket.resume();
    });
  });
  server.listen({ port, backlog: 511 }, ready);
}

function serveCluster() {
  if (cluster.isWorker) {
    http.createServer(answer).listen(port);
    return;
  }
  let left = 2;
  cluster.on('listening', () => {
    left -= 1;
    if (left === 0) ready();
  });
  cluster.fork();
  cluster.fork();
}

if (kind === 'http') serveHttp();
else if (kind === 'net') serveNet();
else {
  cluster.schedulingPolicy = kind === 'cluster-rr' ? cluster.SCHED_RR : cluster.SCHED_NONE;
  serveCluster();
}
