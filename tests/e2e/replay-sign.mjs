// Which text a recorded client signed, found by checking the recorded signature, and the same done again with a key
// of our own for a live challenge. A recorded signature that fits no known layout was wrong on purpose, and stays wrong.

import { createPublicKey, sign, verify } from 'node:crypto';
import { createHash } from 'node:crypto';
import { identity, payloadText, signedToken } from './wire.mjs';

const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');
const sha256 = (bytes) => createHash('sha256').update(bytes).digest();

const encodings = {
  pem: (raw) => `-----BEGIN PUBLIC KEY-----\n${Buffer.concat([SPKI_PREFIX, raw]).toString('base64')}\n-----END PUBLIC KEY-----\n`,
  base64: (raw) => raw.toString('base64'),
  base64url: (raw) => raw.toString('base64url'),
};

function encodingOf(text) {
  if (text.includes('BEGIN PUBLIC KEY')) return 'pem';
  return /[+/=]/.test(text) ? 'base64' : 'base64url';
}

function rawKey(publicKey) {
  const raw = encodingOf(publicKey) === 'pem'
    ? createPublicKey(publicKey).export({ format: 'der', type: 'spki' }).subarray(-32)
    : Buffer.from(publicKey, 'base64');
  return raw.length === 32 ? raw : undefined;
}

const keyObject = (raw) => createPublicKey({ key: Buffer.concat([SPKI_PREFIX, raw]), format: 'der', type: 'spki' });

/** The facts of the recorded signature, or undefined when no layout fits. */
function recordedLayout(params, raw) {
  const { device, client, role, scopes, auth } = params;
  if (device.nonce === undefined) return undefined;
  for (const version of [3, 2, 1]) {
    for (const token of new Set([signedToken(auth), '', auth?.deviceToken ?? '', auth?.password ?? ''])) {
      for (const nonce of new Set([device.nonce.trim(), device.nonce])) {
        const text = payloadText(version, { id: device.id, client, role, scopes, signedAt: device.signedAt, token, nonce });
        if (verify(null, Buffer.from(text), keyObject(raw), Buffer.from(device.signature, 'base64'))) return { version, token, trimmed: nonce === device.nonce.trim() };
      }
    }
  }
  return undefined;
}

/** Keys of our own, one for each recorded key, the same through one run. */
export class Identities {
  #byKey = new Map();

  live(recordedRaw) {
    const name = recordedRaw.toString('hex');
    if (!this.#byKey.has(name)) this.#byKey.set(name, identity(sha256(Buffer.concat([Buffer.from('openclaw e2e'), recordedRaw]))));
    return this.#byKey.get(name);
  }

  /** The device block for the live challenge; `names` learns recorded -> live ids. `live` are the params as sent. */
  resign(recorded, live, challenge, names) {
    const device = recorded.device;
    const raw = typeof device.publicKey === 'string' ? rawKey(device.publicKey) : undefined;
    const times = { signedAt: challenge.live.ts + (device.signedAt - challenge.recorded.ts) };
    if (!raw) return { ...device, ...times, nonce: this.#nonce(device, challenge) };
    const who = this.live(raw);
    const recordedId = sha256(raw).toString('hex');
    const id = device.id === recordedId ? who.id : device.id === recordedId.toUpperCase() ? who.id.toUpperCase() : device.id;
    names.set(recordedId, who.id).set(raw.toString('base64url'), who.publicKey);
    const nonce = this.#nonce(device, challenge);
    const layout = recordedLayout(recorded, raw);
    const token = layout && layout.token === signedToken(recorded.auth) ? signedToken(live.auth) : layout?.token;
    const text = payloadText(layout?.version ?? 3, { ...live, id, ...times, token, nonce: layout?.trimmed ? (nonce ?? '').trim() : nonce ?? '' });
    const bytes = sign(null, Buffer.from(text), who.privateKey);
    if (!layout && device.nonce !== undefined) bytes[7] ^= 0x55;
    const block = { id, publicKey: encodings[encodingOf(device.publicKey)](who.raw), signature: bytes.toString(encodingOf(device.signature)), ...times };
    return nonce === undefined ? block : { ...block, nonce };
  }

  #nonce(device, challenge) {
    if (device.nonce === undefined) return undefined;
    return device.nonce.includes(challenge.recorded.nonce) ? device.nonce.replace(challenge.recorded.nonce, challenge.live.nonce) : device.nonce;
  }
}
