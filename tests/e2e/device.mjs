#!/usr/bin/env node
// One device from the command line: connect, make some calls, print one JSON line {hello|error, close, calls}.
//   device.mjs --url ws://.. --key FILE [--token T] [--password P] [--device-token D] [--role R] [--scopes a,b]
//              [--client id/mode] [--protocol 3|4] [--nodevice] [--hold MS] [--call METHOD [JSON]]...
// FILE holds the identity's seed and is made when absent.

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { identity, Wire } from './wire.mjs';

const args = process.argv.slice(2);
const take = (name) => {
  const at = args.indexOf(name);
  return at < 0 ? undefined : args.splice(at, 2)[1];
};
const calls = [];
for (let at = args.indexOf('--call'); at >= 0; at = args.indexOf('--call')) {
  const hasParams = args[at + 2] !== undefined && !args[at + 2].startsWith('--');
  const [, method, params] = args.splice(at, hasParams ? 3 : 2);
  calls.push({ method, params: params === undefined ? undefined : JSON.parse(params) });
}
const noDevice = args.includes('--nodevice');
const keyFile = take('--key');
let who;
if (!noDevice) {
  if (!existsSync(keyFile)) writeFileSync(keyFile, identity().seed, { mode: 0o600 });
  who = identity(Buffer.from(readFileSync(keyFile, 'utf8'), 'base64url'));
}
const version = Number(take('--protocol') ?? 4);
const [id, mode] = (take('--client') ?? 'cli/cli').split('/');
const auth = {};
for (const [flag, field] of [['--token', 'token'], ['--password', 'password'], ['--device-token', 'deviceToken']]) {
  const value = take(flag);
  if (value !== undefined) auth[field] = value;
}
const wire = new Wire(take('--url'));
const scopes = take('--scopes');
const hold = Number(take('--hold') ?? 0);
const role = take('--role') ?? 'operator';
const result = await wire.connect({
  who, auth, role, client: { id, mode, version: version === 3 ? '2026.2.26' : '2026.9.6' }, protocol: [version, version],
  scopes: scopes === undefined ? [] : scopes.split(',').filter(Boolean),
});
result.deviceId = who?.id;
result.publicKey = who?.publicKey;
result.calls = [];
if (result.hello) for (const { method, params } of calls) result.calls.push({ method, ...(await wire.call(method, params)) });
if (result.hello && hold > 0) result.after = await wire.until((x) => x.kind === 'close', hold);
process.stdout.write(`${JSON.stringify(result)}\n`);
wire.end();
