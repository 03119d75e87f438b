// The wire as a client sees it: one WebSocket, the challenge, a signed device block, requests and answers.
// Written against ../shared/protocol, independent of the gateway's own code, so that it can judge it.

import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, randomBytes, randomUUID, sign } from 'node:crypto';
import { createRequire } from 'node:module';
import { homedir } from 'node:os';
import { join } from 'node:path';

const cache = process.env.OPENCLAW_E2E_CACHE ?? join(homedir(), '.cache/openclaw-e2e');
export const WebSocket = createRequire(join(cache, 'v9/package.json'))('ws');

const SEED_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');
const b64url = (bytes) => Buffer.from(bytes).toString('base64url');

/** An Ed25519 identity: from 32 seed bytes, or a fresh one. */
export function identity(seed = randomBytes(32)) {
  const privateKey = createPrivateKey({ key: Buffer.concat([SEED_PREFIX, seed]), format: 'der', type: 'pkcs8' });
  const raw = createPublicKey(privateKey).export({ format: 'der', type: 'spki' }).subarray(-32);
  return { seed: b64url(seed), privateKey, raw, publicKey: b64url(raw), id: createHash('sha256').update(raw).digest('hex') };
}

const lowerAscii = (text) => (text ?? '').trim().replace(/[A-Z]/g, (c) => c.toLowerCase());

/** The text that is signed, in layout 1 (refused everywhere), 2 or 3. */
export function payloadText(version, { id, client, role, scopes, signedAt, token, nonce }) {
  const parts = [`v${version}`, id, client.id, client.mode, role ?? 'operator', (scopes ?? []).join(','), String(signedAt), token ?? ''];
  if (version >= 2) parts.push(nonce);
  if (version >= 3) parts.push(lowerAscii(client.platform), lowerAscii(client.deviceFamily));
  return parts.join('|');
}

export const signedToken = (auth) => auth?.token ?? auth?.deviceToken ?? auth?.bootstrapToken ?? '';

export function deviceBlock(who, version, facts) {
  const text = payloadText(version, { ...facts, id: who.id });
  const signature = b64url(sign(null, Buffer.from(text, 'utf8'), who.privateKey));
  return { id: who.id, publicKey: who.publicKey, signature, signedAt: facts.signedAt, nonce: facts.nonce.trim() };
}

/** One connection. `next()` gives the next thing the server did: {kind:"frame"|"close"|"http"|"error"|"timeout", ...}. */
export class Wire {
  #queue = [];
  #waiting = [];

  constructor(url, { headers = {}, path = '/' } = {}) {
    this.socket = new WebSocket(new URL(path, url), { headers, perMessageDeflate: false, handshakeTimeout: 10_000, maxPayload: 64 << 20 });
    this.socket.on('message', (data, binary) => {
      const text = data.toString('utf8');
      let frame;
      try { frame = JSON.parse(text); } catch { return this.#put({ kind: 'rawtext', text }); }
      this.#put({ kind: 'frame', frame, binary });
    });
    this.socket.on('unexpected-response', (_, response) => {
      const chunks = [];
      response.on('data', (c) => chunks.push(c)).on('end', () =>
        this.#put({ kind: 'http', status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks).toString('utf8') }));
    });
    this.socket.on('close', (code, reason) => this.#put({ kind: 'close', code, reason: reason.toString('utf8') }));
    this.socket.on('error', (error) => this.#put({ kind: 'error', message: error.message }));
  }

  #put(item) {
    const waiter = this.#waiting.shift();
    if (waiter) waiter(item); else this.#queue.push(item);
  }

  next(timeoutMs = 10_000) {
    if (this.#queue.length) return Promise.resolve(this.#queue.shift());
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#waiting = this.#waiting.filter((w) => w !== done);
        resolve({ kind: 'timeout' });
      }, timeoutMs);
      const done = (item) => { clearTimeout(timer); resolve(item); };
      this.#waiting.push(done);
    });
  }

  /** Skips what does not match, at most 200 things; keeps what it skipped in `skipped`. */
  async until(wanted, timeoutMs = 10_000) {
    const end = Date.now() + timeoutMs;
    for (let i = 0; i < 200; i += 1) {
      const item = await this.next(Math.max(1, end - Date.now()));
      if (wanted(item) || item.kind !== 'frame') return item;
    }
    return { kind: 'timeout' };
  }

  send(frame, { binary = false } = {}) {
    this.socket.send(typeof frame === 'string' ? frame : JSON.stringify(frame), { binary });
  }

  async call(method, params, timeoutMs = 10_000) {
    const id = randomUUID();
    this.send({ type: 'req', id, method, ...(params === undefined ? {} : { params }) });
    const item = await this.until((x) => x.kind === 'frame' && x.frame.type === 'res' && x.frame.id === id, timeoutMs);
    if (item.kind !== 'frame') return { ok: false, error: { code: 'LOST', message: `connection: ${item.kind} ${item.code ?? ''} ${item.reason ?? item.message ?? ''}` } };
    return item.frame;
  }

  /** Waits for the challenge and sends `connect`; gives {hello} or {error, close}. */
  async connect({ who, auth, role = 'operator', scopes = [], client = {}, protocol = [4, 4], extra = {}, layout = 3 }) {
    const first = await this.next();
    if (first.kind !== 'frame' || first.frame.event !== 'connect.challenge') return { refused: first };
    const { nonce, ts } = first.frame.payload;
    const me = { id: 'cli', mode: 'cli', version: '2026.9.6', platform: 'linux', deviceFamily: 'Linux', ...client };
    const params = { minProtocol: protocol[0], maxProtocol: protocol[1], client: me, role, scopes, auth, ...extra };
    if (who) params.device = deviceBlock(who, layout, { client: me, role, scopes, signedAt: ts, token: signedToken(auth), nonce });
    const answer = await this.call('connect', params);
    if (answer.ok) return { hello: answer.payload };
    const closed = await this.until((x) => x.kind === 'close', 5_000);
    return { error: answer.error, close: closed.kind === 'close' ? { code: closed.code, reason: closed.reason } : null };
  }

  end() { this.socket.terminate(); }
}
