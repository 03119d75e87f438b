#!/usr/bin/env node
// crash.mjs work|verify --url U --state DIR --token T [--config FILE]
//   work: pairs, approves, rotates, revokes, removes and writes the configuration without a pause, and keeps a journal:
//         "begin" before each request, "done" when the gateway acknowledged it. It is meant to be cut off.
//   verify: after a kill -9 and a restart, everything acknowledged must still hold; what was in flight may be either way.

import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { createHash, randomInt } from 'node:crypto';
import { join } from 'node:path';
import { identity, Wire } from './wire.mjs';

const args = Object.fromEntries(process.argv.slice(3).map((word, at, all) => (word.startsWith('--') ? [word.slice(2), all[at + 1]] : [])).filter((p) => p.length));
const journal = join(args.state, 'journal.jsonl');
const DEVICES = 8;
const BACKEND = { id: 'gateway-client', mode: 'backend' };
const ALL = ['operator.admin', 'operator.read', 'operator.write', 'operator.pairing', 'operator.approvals'];
const note = (row) => appendFileSync(journal, `${JSON.stringify(row)}\n`);
const who = (n) => identity(createHash('sha256').update(`crash device ${n}`).digest());
const lines = () => (existsSync(journal) ? readFileSync(journal, 'utf8').split('\n').filter(Boolean).map((l) => JSON.parse(l)) : []);

async function admin() {
  const wire = new Wire(args.url);
  const { hello, error } = await wire.connect({ auth: { token: args.token }, scopes: ALL, client: BACKEND });
  if (!hello) throw new Error(`the administrator is refused: ${JSON.stringify(error)}`);
  return wire;
}

async function device(n, auth, role = 'operator') {
  const wire = new Wire(args.url);
  const answer = await wire.connect({ who: who(n), auth, role, scopes: role === 'node' ? [] : ['operator.read'], client: role === 'node' ? { id: 'node-host', mode: 'node' } : {} });
  wire.end();
  if (!answer.hello && !answer.error) throw new Error('connection lost');
  return answer;
}

const must = (frame) => {
  if (!frame.ok) throw new Error(`${frame.error?.code} ${frame.error?.message}`);
  return frame.payload;
};

// ------------------------------------------------------------------ work

const acts = {
  async pair(wire, n) {
    const { hello, error } = await device(n, { token: args.token });
    if (!hello) throw new Error(JSON.stringify(error));
    return { token: hello.auth.deviceToken };
  },
  async approve(wire, n) {
    const { hello, error } = await device(n, { token: args.token }, 'node');
    if (hello) return {};
    must(await wire.call('device.pair.approve', { requestId: error.details.requestId }));
    return {};
  },
  async rotate(wire, n) { must(await wire.call('device.token.rotate', { deviceId: who(n).id, role: 'operator' })); return {}; },
  async remove(wire, n) { must(await wire.call('device.pair.remove', { deviceId: who(n).id })); return {}; },
  async config(wire, n, value) {
    const { hash } = must(await wire.call('config.get', {}));
    must(await wire.call('config.patch', { raw: JSON.stringify({ ui: { seamColor: value } }), baseHash: hash }));
    return { value };
  },
};

/** What the journal says of each device and of the configuration: {state, token, spent, open}. */
function replay(rows) {
  const known = new Map();
  const of = (n) => known.get(n) ?? known.set(n, { state: 'absent', roles: new Set(), token: undefined, spent: [], open: undefined }).get(n);
  let config; let configOpen;
  for (const row of rows) {
    if (row.act === 'config') {
      if (row.is === 'begin') configOpen = row.value;
      if (row.is === 'done' || row.is === 'found') { config = row.value; configOpen = undefined; }
      if (row.is === 'refused') configOpen = undefined;
      continue;
    }
    const d = of(row.n);
    if (row.is === 'begin') d.open = row.act;
    if (row.is === 'refused') d.open = undefined;
    if (row.is === 'found') { Object.assign(d, { state: row.state, roles: new Set(row.roles), token: row.token, open: undefined }); if (row.spent) d.spent = row.spent; }
    if (row.is !== 'done') continue;
    d.open = undefined;
    if (row.act === 'pair') { d.state = 'paired'; d.roles.add('operator'); if (row.token) d.token = row.token; }
    if (row.act === 'approve') d.roles.add('node');
    if (row.act === 'rotate') { if (d.token) d.spent.push(d.token); d.token = undefined; }
    if (row.act === 'remove') { d.state = 'absent'; d.roles.clear(); if (d.token) d.spent.push(d.token); d.token = undefined; }
  }
  return { known, config, configOpen };
}

async function work() {
  const wire = await admin();
  const { known } = replay(lines());
  const paired = new Set([...known].filter(([, d]) => d.state === 'paired').map(([n]) => n));
  const tokened = new Set([...known].filter(([, d]) => d.token).map(([n]) => n));
  for (let i = 0; i < 5_000; i += 1) {
    const n = randomInt(DEVICES);
    const act = !paired.has(n) || !tokened.has(n) ? 'pair' : ['approve', 'rotate', 'rotate', 'remove', 'config', 'config', 'pair'][randomInt(7)];
    const value = `#${randomInt(0x1000000).toString(16).padStart(6, '0')}`;
    note({ is: 'begin', act, n, value });
    try {
      const result = await acts[act](wire, n, value);
      note({ is: 'done', act, n, ...result });
      if (act === 'pair') { paired.add(n); tokened.add(n); }
      if (act === 'rotate') tokened.delete(n);
      if (act === 'remove') { paired.delete(n); tokened.delete(n); }
    } catch (error) {
      if (/LOST|connection|ECONN|refused":|socket|undefined/.test(error.message)) return;
      note({ is: 'refused', act, n, why: error.message });
      if (!/retry|busy|UNAVAILABLE/.test(error.message)) console.log(`refused ${act}: ${error.message}`);
    }
  }
}

// ------------------------------------------------------------------ verify

async function verify() {
  const wrong = [];
  const { known, config, configOpen } = replay(lines());
  const wire = await admin();
  const list = must(await wire.call('device.pair.list', {}));
  let tried = 0;
  for (const [n, d] of [...known].sort(() => Math.random() - 0.5)) {
    const entry = list.paired.find((p) => p.deviceId === who(n).id);
    const unsure = d.open;
    const isPaired = Boolean(entry);
    if (d.state === 'paired' && !isPaired && unsure !== 'remove') wrong.push(`device ${n} was paired and acknowledged, and is gone`);
    if (d.state === 'absent' && isPaired && unsure !== 'pair' && unsure !== 'approve') wrong.push(`device ${n} was removed and acknowledged, and is back`);
    if (isPaired && d.state === 'paired') for (const role of d.roles) if (!entry.roles.includes(role) && unsure !== 'remove') wrong.push(`device ${n}: the approved role ${role} is lost`);
    let token = d.token;
    const spent = [...d.spent];
    if (isPaired && token) {
      const { hello, error } = await device(n, { deviceToken: token });
      if (!hello && unsure !== 'rotate' && unsure !== 'remove' && unsure !== 'pair') wrong.push(`device ${n}: its acknowledged token is refused: ${error?.details?.code}`);
      if (!hello) { spent.push(token); token = undefined; }
    } else if (token) { spent.push(token); token = undefined; }
    const oldest = spent.slice(-2);
    // A wrong token is answered slowly, so a few of them must do in each round.
    if (tried < 3 && oldest.length) for (const old of oldest.slice(-1)) if (old !== token && (tried += 1) && (await device(n, { deviceToken: old })).hello) wrong.push(`device ${n}: a rotated or removed token is good again`);
    note({ is: 'found', n, act: 'device', state: isPaired ? 'paired' : 'absent', roles: entry?.roles ?? [], token, spent: oldest });
  }
  const got = must(await wire.call('config.get', {}));
  const colour = got.parsed?.ui?.seamColor;
  if (!got.valid) wrong.push(`the configuration is not valid: ${JSON.stringify(got.issues)}`);
  if (config !== undefined && colour !== config && colour !== configOpen) wrong.push(`ui.seamColor is ${colour}; acknowledged ${config}, in flight ${configOpen}`);
  if (!readFileSync(args.config, 'utf8').includes(args.token)) wrong.push('the secret is no longer in the configuration file');
  note({ is: 'found', act: 'config', value: colour });
  wire.end();
  const rows = lines();
  console.log(JSON.stringify({ wrong, acknowledged: rows.filter((r) => r.is === 'done').length, inFlight: [...known.values()].filter((d) => d.open).map((d) => d.open).concat(configOpen ? ['config'] : []) }));
}

await (process.argv[2] === 'work' ? work() : verify());
process.exit(0);
