// Plays recorded connections against a live gateway in the recorded order and notes every difference.

import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { compare, learn, plain, rename } from './replay-compare.mjs';
import { Identities } from './replay-sign.mjs';
import { Wire } from './wire.mjs';

// Depend on the moment, not on what the client did: compared when both sides have one, never waited for.
const MOMENT = new Set(['tick', 'health', 'presence']);

export class Play {
  differences = [];
  extras = new Map();
  frames = 0;
  #connections = new Map();
  #names;
  #identities = new Identities();

  /** `options`: url, names (Map of recorded -> live text), remoteHost (recorded Host that meant "remote"), onShutdown. */
  constructor(options) {
    this.options = options;
    this.#names = options.names ?? new Map();
  }

  async files(paths) {
    let entries = paths.flatMap((path) => readFileSync(path, 'utf8').trim().split('\n').map((line, at) => ({ ...JSON.parse(line), at, capture: basename(path, '.jsonl') })));
    entries.sort((a, b) => a.t - b.t || a.conn - b.conn || a.at - b.at);
    entries = this.options.cut?.(entries) ?? entries;
    if (this.options.onStart) await this.options.onStart(entries, this);
    for (const entry of entries) await this.#step(entry);
    for (const connection of this.#connections.values()) connection.wire?.end();
  }

  get names() { return this.#names; }
  get identities() { return this.#identities; }

  note(capture, where, what) { this.differences.push({ capture, difference: `${where}: ${what}` }); }

  async #step(entry) {
    const key = `${entry.capture}#${entry.conn}`;
    if (entry.kind === 'http' && entry.dir === 'c2s') {
      if (entry.headers.upgrade?.toLowerCase() !== 'websocket') return this.#connections.set(key, { dead: true });
      return this.#connections.set(key, this.#open(entry));
    }
    const connection = this.#connections.get(key);
    if (!connection || connection.dead) return undefined;
    const handler = { c2s: { frame: 'sendFrame', rawtext: 'sendText', close: 'clientClose', 'tcp-close': 'clientClose' }, s2c: { http: 'awaitHttp', frame: 'awaitFrame', close: 'awaitClose' } }[entry.dir]?.[entry.kind];
    return handler ? this[handler](connection, entry) : undefined;
  }

  #open(entry) {
    const headers = {};
    for (const name of ['origin', 'user-agent', 'x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host', 'forwarded', 'x-real-ip']) if (entry.headers[name]) headers[name] = entry.headers[name];
    const recordedHost = entry.headers.host;
    const liveHost = new URL(this.options.url).host;
    if (this.options.remoteHost && recordedHost === this.options.remoteHost) headers['x-forwarded-for'] ??= '203.0.113.9';
    else if (!/^(127\.0\.0\.1|localhost):/.test(recordedHost)) headers.host = recordedHost;
    // The page of the recorded gateway is the page of the live one. (The UI's port was recorded through a proxy.)
    if (headers.origin && /^http:\/\/127\.0\.0\.1:2\d{4}$/.test(headers.origin)) headers.origin = `http://${liveHost}`;
    return { wire: new Wire(this.options.url, { headers, path: entry.first.split(' ')[1] }), results: new Map(), events: new Map(), requests: new Map() };
  }

  /** Takes live things in until `wanted` says one of them is it. */
  async #pump(connection, wanted, timeoutMs) {
    const end = Date.now() + timeoutMs;
    for (let i = 0; i < 500; i += 1) {
      const ready = wanted();
      if (ready !== undefined) return ready;
      if (connection.over) return undefined;
      const item = await connection.wire.next(Math.max(1, end - Date.now()));
      if (item.kind === 'timeout') return wanted();
      if (item.kind !== 'frame') connection.over = item;
      else if (item.frame.type === 'res') push(connection.results, item.frame.id, item.frame);
      else if (item.frame.type === 'event') push(connection.events, item.frame.event, item.frame);
      else this.note(connection.capture, 'frame', `of unknown type ${item.frame.type}`);
    }
    return undefined;
  }

  #lost(connection, entry, where) {
    const over = connection.over;
    const how = !over ? 'no answer in time' : over.kind === 'http' ? `HTTP ${over.status} ${httpType(over.body)} before the upgrade`
      : over.kind === 'close' ? `closed with ${over.code} ${JSON.stringify(plain(over.reason))} instead` : `connection ended: ${over.message ?? over.kind}`;
    this.note(entry.capture, where, how);
    connection.dead = true;
    connection.wire.end();
  }

  async awaitHttp(connection, entry) {
    connection.capture = entry.capture;
    if (entry.first.includes(' 101 ')) return;
    const answer = await this.#pump(connection, () => (connection.over ? connection.over : connection.events.size ? { kind: 'upgraded' } : undefined), 8_000);
    connection.dead = true;
    const status = Number(entry.first.split(' ')[1]);
    if (answer?.kind !== 'http') return void this.note(entry.capture, 'http', `${status} ${httpType(entry.body)} recorded, ${answer?.kind ?? 'nothing'} here`);
    if (answer.status !== status) this.note(entry.capture, 'http', `${status} recorded, ${answer.status} here`);
    else if (httpType(entry.body) !== httpType(answer.body)) this.note(entry.capture, 'http body', `${httpType(entry.body)} recorded, ${httpType(answer.body)} here`);
    this.frames += 1;
  }

  async sendFrame(connection, entry) {
    if (connection.over?.kind === 'close' && !connection.closed) return void this.#lost(connection, entry, 'before a request');
    let frame = entry.frame;
    if (frame?.type === 'req') connection.requests.set(frame.id, { method: frame.method, t: entry.t });
    if (frame?.method === 'connect' && frame.params) {
      const params = rename(frame.params, this.#names);
      if (frame.params.device) params.device = this.#identities.resign(frame.params, params, connection.challenge, this.#names);
      frame = { ...frame, params };
    } else frame = rename(frame, this.#names);
    connection.sentAt = Date.now();
    connection.wire.send(frame);
  }

  sendText(connection, entry) {
    const text = entry.bytes > entry.text.length ? entry.text + 'x'.repeat(entry.bytes - entry.text.length) : entry.text;
    connection.wire.send(text);
  }

  clientClose(connection, entry) {
    if (connection.closed || connection.dead) return;
    connection.dead = true;
    connection.wire.socket.close(entry.code === 1000 || entry.code >= 3000 ? entry.code : undefined, entry.code ? entry.reason : undefined);
  }

  async awaitFrame(connection, entry) {
    const { frame } = entry;
    if (frame.type === 'event') return this.#awaitEvent(connection, entry, frame);
    const request = connection.requests.get(frame.id);
    const where = `${request?.method ?? 'invalid frame'}${frame.ok ? '' : ' (error)'}`;
    const taken = Math.max(0, entry.t - (request?.t ?? entry.t));
    const live = await this.#pump(connection, () => connection.results.get(frame.id)?.shift(), 10_000 + taken);
    if (!live) return this.#lost(connection, entry, where);
    if (!frame.ok && taken > 200 && entry.capture.startsWith('rate-limit') && Date.now() - connection.sentAt < taken / 2) this.note(entry.capture, where, `delayed by more than ${Math.floor(taken / 2)} ms recorded, not delayed here`);
    this.frames += 1;
    if (live.payload?.type === 'hello-ok') connection.welcome = live.payload;
    this.#compare(entry, where, frame, live);
    return undefined;
  }

  async #awaitEvent(connection, entry, frame) {
    const where = `event ${frame.event}`;
    if (frame.event === 'connect.challenge') {
      const live = await this.#pump(connection, () => connection.events.get(frame.event)?.shift(), 8_000);
      if (!live) return this.#lost(connection, entry, where);
      connection.challenge = { recorded: frame.payload, live: live.payload };
      this.#compare(entry, where, frame, live);
      return undefined;
    }
    if (frame.event === 'shutdown') this.options.onShutdown?.();
    const live = await this.#pump(connection, () => connection.events.get(frame.event)?.shift(), MOMENT.has(frame.event) ? 1 : 5_000);
    if (live) this.#compare(entry, where, frame, live);
    else if (!MOMENT.has(frame.event)) {
      if (connection.over) this.#lost(connection, entry, where);
      else this.note(entry.capture, where, 'recorded, never sent here');
    }
    this.frames += live ? 1 : 0;
    return undefined;
  }

  async awaitClose(connection, entry) {
    if (connection.closed) return;
    // A close that only answers the client's own.
    if (entry.code === null || entry.code === 1000 && entry.reason === 'done') return;
    connection.closed = true;
    // The frame that was too large to record.
    if (entry.code === 1009 && connection.welcome) connection.wire.send('x'.repeat(connection.welcome.policy.maxPayload + 1));
    const over = await this.#pump(connection, () => connection.over, 5_000 + Math.min(entry.ms, 20_000));
    connection.dead = true;
    if (over?.kind !== 'close') return void this.note(entry.capture, 'close', `${entry.code} recorded, ${over?.kind ?? 'still open'} here`);
    this.frames += 1;
    const [want, got] = [`${entry.code} ${JSON.stringify(plain(entry.reason))}`, `${over.code} ${JSON.stringify(plain(over.reason))}`];
    if (want !== got) this.note(entry.capture, 'close', `${want} recorded, ${got} here`);
  }

  #compare(entry, where, recorded, live) {
    if (recorded.ok === false && live.ok === true) return void this.note(entry.capture, where, `${recorded.error.code} ${JSON.stringify(plain(recorded.error.message))} recorded, ok here`);
    if (recorded.ok === true && live.ok === false) return void this.note(entry.capture, where, `ok recorded, ${live.error?.code} ${JSON.stringify(plain(live.error?.message ?? ''))} here`);
    learn(recorded, live, this.#names);
    compare(recorded, live, {
      names: this.#names,
      report: (path, what) => this.note(entry.capture, `${where} ${path}`, what),
      extra: (path) => this.extras.set(`${where} ${path}`, (this.extras.get(`${where} ${path}`) ?? 0) + 1),
    });
    for (const key of Object.keys(live)) if (!['type', 'id', 'ok', 'payload', 'error', 'event', 'seq', 'stateVersion', 'recipientProfileId'].includes(key)) this.note(entry.capture, where, `frame key ${key} is not of the protocol`);
    return undefined;
  }
}

const push = (map, key, value) => (map.get(key) ?? map.set(key, []).get(key)).push(value);

function httpType(body) {
  try { return JSON.parse(body).error.type; } catch { return JSON.stringify((body ?? '').slice(0, 60)); }
}
