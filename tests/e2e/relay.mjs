#!/usr/bin/env node
// relay.mjs <listen port> <target host> <target port>: plain TCP from 127.0.0.1 to a host, as an ssh -L tunnel does.
// The 2.26 CLI refuses ws:// to anything but loopback, so a remote one comes through this.

import { connect, createServer } from 'node:net';

const [port, host, targetPort] = process.argv.slice(2);
createServer((near) => {
  const far = connect(Number(targetPort), host);
  near.on('error', () => far.destroy()).on('close', () => far.destroy());
  far.on('error', () => near.destroy()).on('close', () => near.destroy());
  near.pipe(far).pipe(near);
}).listen(Number(port), '127.0.0.1');
