#!/usr/bin/env node
// replay.mjs play --url U --captures DIR --version 2026.9.6 --group NAME --out FILE [--pid GATEWAY]
//   plays one group of transcripts and appends what differs to FILE, one JSON object a line.
// replay.mjs judge --kind ours|official --out FILE
//   holds FILE against replay-differences.json: an unknown difference fails, and so does an entry that fits nothing.
// replay.mjs groups   prints the groups, one a line: name, gateway set-up.

import { appendFileSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Play } from './replay-play.mjs';
import { deviceBlock, signedToken, Wire } from './wire.mjs';

// The whole of the captures, by group, each with the gateway it was recorded at. A group has a fresh gateway.
const GROUPS = {
  cli: { setup: 'token', files: /^cli-(health-json|status|status-json|status-deep-json|gateway-.*|devices-list|channels-status|logs|logs-follow|system-presence)$/ },
  'local-cli': { setup: 'token', files: /^local-cli-(health-json|status-json|status-deep-json|gateway-.*|devices-list)$/ },
  url: { setup: 'token', files: /^url-/ },
  devices: { setup: 'proxied', files: /^cli-devices-(list-pending|approve|rotate|revoke|remove)$/, start: pendingLaptop },
  err: { setup: 'token', files: /^err-/ },
  sig: { setup: 'token', files: /^sig-/ },
  post: { setup: 'token', files: /^post-/ },
  pair: { setup: 'proxied', files: /^pair-/, cut: cutUnrecorded },
  'rate-loopback': { setup: 'token', files: /^rate-limit-loopback$/ },
  'rate-browser': { setup: 'token', files: /^rate-limit-browser-origin$/ },
  'rate-remote': { setup: 'proxied', files: /^rate-limit-remote$/ },
  password: { setup: 'password', files: /^pwmode-/ },
  flood: { setup: 'password', files: /^preauth-flood$/ },
  shutdown: { setup: 'password', files: /^shutdown$/ },
};

// Methods of later work: nodes, agent, chat, cron, sessions, terminal UI, Control UI, exec approval, models, crossed versions.
const OUT_OF_SCOPE = /^(pair-11-node-approved|cli-nodes-.*|cli-cron-list|cli-sessions-rpc|cli-models-list|local-cli-(agent-text|message-send|nodes-list)|agent-no-model-key|chat-send|idempotency|exec-approval|node-run|tui|control-ui|xver-.*|url-nodes)$/;

const args = Object.fromEntries(process.argv.slice(3).map((word, at, all) => (word.startsWith('--') ? [word.slice(2), all[at + 1]] : [])).filter((p) => p.length));

function captures(dir, version) {
  return readdirSync(dir).filter((name) => name.endsWith(`.v${version}.jsonl`)).map((name) => ({ name: name.slice(0, -`.v${version}.jsonl`.length), path: join(dir, name) }));
}

/** The recorded gateways were warm: one `health` before the first connection, so that hello has a snapshot. */
async function warm({ options: { url, secret, password, protocol } }) {
  const wire = new Wire(url);
  await wire.connect({ auth: { token: secret, password }, scopes: ['operator.read'], client: { id: 'gateway-client', mode: 'backend' }, protocol: [protocol, protocol] });
  await wire.call('health', {});
  wire.end();
}

/** The recorded list shows a device that asked before the recording began: ask for it now. */
async function pendingLaptop(entries, play) {
  const approve = entries.find((e) => e.frame?.method === 'device.pair.approve');
  const listed = entries.map((e) => e.frame?.payload?.pending?.[0]).find((p) => p?.requestId === approve.frame.params.requestId)
    ?? entries.map((e) => e.frame?.payload?.device).find((d) => d);
  const raw = Buffer.from(listed.publicKey, 'base64url');
  const who = play.identities.live(raw);
  play.names.set(listed.deviceId, who.id).set(listed.publicKey, who.publicKey);
  const wire = new Wire(play.options.url, { headers: play.options.remoteByHost ? { host: 'gw.example.com' } : { 'x-forwarded-for': '203.0.113.99' } });
  const first = await wire.next();
  const client = { id: 'cli', mode: 'cli', version: '1.2.3', platform: 'linux', displayName: 'pending-laptop' };
  const auth = { token: play.options.secret };
  const protocol = play.options.protocol;
  const scopes = ['operator.read'];
  const { nonce, ts } = first.frame.payload;
  const device = deviceBlock(who, 3, { client, role: 'operator', scopes, signedAt: ts, token: signedToken(auth), nonce });
  const answer = await wire.call('connect', { minProtocol: protocol, maxProtocol: protocol, client, caps: [], role: 'operator', scopes, auth, device });
  wire.end();
  const live = answer.error?.details?.requestId;
  if (!live) throw new Error(`the device of the recording was not made to wait: ${JSON.stringify(answer).slice(0, 300)}`);
  play.names.set(approve.frame.params.requestId, live);
}

/** The administrator's recording goes on with a node whose own connection was not recorded: it ends there. */
function cutUnrecorded(entries) {
  const made = new Set(entries.map((e) => e.frame?.error?.details?.requestId).filter(Boolean));
  const stop = entries.find((e) => e.frame?.event === 'device.pair.requested' && !made.has(e.frame.payload.requestId));
  // What closed the approved device's socket was not recorded either; the rotation that follows does it too.
  const rotated = entries.find((e) => e.frame?.method === 'device.token.rotate');
  const late = entries.map((e) => (e.code === 4001 && e.t < rotated.t ? { ...e, t: rotated.t + 100 } : e)).sort((a, b) => a.t - b.t);
  return stop ? late.filter((e) => e.t < stop.t) : late;
}

async function playGroup() {
  const group = GROUPS[args.group];
  const chosen = captures(args.captures, args.version).filter(({ name }) => group.files.test(name) && !OUT_OF_SCOPE.test(name));
  const only = args.only ? chosen.filter(({ name }) => name.includes(args.only)) : chosen;
  if (!only.length) return console.log(`${args.group}: no transcript of ${args.version}`);
  const old = args.version === '2026.2.26';
  const play = new Play({
    url: args.url, protocol: old ? 3 : 4, secret: old ? 'tok-fake-2260000000000000' : 'tok-fake-9600000000000000', password: old ? 'pw-fake-226000' : 'pw-fake-960000',
    // 2.26 told remote from local by the Host header too; here a trusted proxy says it.
    remoteHost: old && args.kind === 'ours' && group.setup === 'proxied' ? 'gw.example.com' : undefined,
    remoteByHost: old && args.kind !== 'ours',
    onStart: async (entries, play) => {
      await warm(play);
      await group.start?.(entries, play);
    }, cut: group.cut,
    onShutdown: () => args.pid && process.kill(Number(args.pid), 'SIGTERM'),
  });
  await play.files(only.map(({ path }) => path));
  for (const row of play.differences) appendFileSync(args.out, `${JSON.stringify({ ...row, group: args.group })}\n`);
  for (const [name, count] of play.extras) appendFileSync(args.out, `${JSON.stringify({ extra: name, count })}\n`);
  appendFileSync(args.out, `${JSON.stringify({ played: args.group, version: args.version, files: only.length, frames: play.frames })}\n`);
  console.log(`${args.group} ${args.version}: ${only.length} transcripts, ${play.frames} frames compared, ${play.differences.length} differences`);
}

const glob = (pattern) => new RegExp(`^${pattern.split('*').map((s) => s.replace(/[.+?^${}()|[\]\\]/g, '\\$&')).join('.*')}$`, 's');

function judge() {
  const rows = readFileSync(args.out, 'utf8').trim().split('\n').map((line) => JSON.parse(line));
  const entries = JSON.parse(readFileSync(new URL('replay-differences.json', import.meta.url), 'utf8'))[args.kind];
  const allowed = entries.map((entry) => ({ ...entry, used: 0, at: glob(entry.captures ?? '*'), is: glob(entry.difference) }));
  const unknown = new Map();
  for (const { capture, difference } of rows.filter((row) => row.difference)) {
    const entry = allowed.find(({ at, is }) => at.test(capture) && is.test(difference));
    if (entry) entry.used += 1;
    else (unknown.get(difference) ?? unknown.set(difference, []).get(difference)).push(capture);
  }
  for (const [difference, where] of [...unknown].sort()) console.log(`FAIL  ${difference}\n      | in ${where.length}: ${[...new Set(where)].slice(0, 6).join(', ')}`);
  const stale = args.partial ? [] : allowed.filter(({ used }) => used === 0);
  for (const entry of stale) console.log(`FAIL  replay-differences.json: nothing differs like this any more, remove it: ${entry.captures ?? '*'} ${entry.difference}`);
  const extras = new Set(rows.filter((row) => row.extra).map((row) => row.extra));
  if (args.verbose) for (const name of [...extras].sort()) console.log(`extra ${name}`);
  const frames = rows.reduce((sum, row) => sum + (row.frames ?? 0), 0);
  const accepted = allowed.reduce((sum, { used }) => sum + used, 0);
  console.log(`${rows.filter((row) => row.played).length} groups, ${accepted} accepted differences by ${allowed.length} entries, ${extras.size} optional extras`);
  console.log(`${frames} passed, ${unknown.size + stale.length} failed`);
  process.exitCode = unknown.size + stale.length ? 1 : 0;
}

function coverage() {
  for (const version of ['2026.9.6', '2026.2.26']) {
    const lost = captures(args.captures, version).filter(({ name }) => !OUT_OF_SCOPE.test(name) && !Object.values(GROUPS).some(({ files }) => files.test(name)));
    if (lost.length) throw new Error(`transcripts in no group: ${lost.map(({ name }) => name).join(', ')}`);
  }
}

if (process.argv[2] === 'play') await playGroup();
else if (process.argv[2] === 'judge') judge();
else {
  coverage();
  for (const [name, { setup }] of Object.entries(GROUPS)) console.log(name, setup);
}
