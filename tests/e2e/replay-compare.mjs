// Compares what the gateway sends with what was recorded: by shape everywhere, by value for the words of the protocol.

const VALUES = new Set(['type', 'ok', 'code', 'message', 'reason', 'authReason', 'recommendedNextStep', 'canRetryWithDeviceToken', 'retryable',
  'role', 'roles', 'scopes', 'protocol', 'decision', 'expectedProtocol', 'minimumProbeProtocol', 'clientMinProtocol', 'clientMaxProtocol',
  'missingScope', 'requiredScopes', 'requestedRole', 'requestedScopes', 'approvedRoles', 'approvedScopes', 'tickIntervalMs', 'maxPayload',
  'maxBufferedBytes', 'mainKey', 'mainSessionKey', 'method', 'silent', 'isRepair', 'tokenDelivery', 'clientId', 'clientMode', 'label',
  'displayName', 'remoteIp', 'subscribed', 'aborted', 'ignored', 'pauseReconnect']);

// What stands inside is the recorded host's own: its configuration, its schema, its log lines.
const OPAQUE = /^payload\.(config|parsed|resolved|sourceConfig|runtimeConfig|schema|uiHints|lines|features)$/;

const tag = (v) => (v === null ? 'null' : Array.isArray(v) ? 'array' : typeof v);

export function plain(text) {
  return text
    .replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, '<uuid>')
    .replace(/\(requestId: [^)]*\)?$/, '(requestId: <uuid>)')
    .replace(/\b[0-9a-f]{64}\b/g, '<device>')
    .replace(/^(invalid (?:[\w.]+ params|request frame)): .*$/s, '$1: <schema text>');
}

const show = (v) => JSON.stringify(v)?.slice(0, 160) ?? 'nothing';

/** Entries of these lists belong together by this key; those of any other list only by what all of them have. */
const KEYED = { pending: 'requestId', paired: 'deviceId', tokens: 'role' };

/** Calls `report(path, what)` for each difference; `extra(path)` for keys that only the live side has. `by` holds the callbacks. */
export function compare(recorded, live, by, path = '') {
  const [was, is] = [tag(recorded), tag(live)];
  if (was !== is) {
    if (was === 'null' || is === 'null') return by.extra(`${path} (${was} recorded, ${is} here)`);
    return by.report(path, `${was} recorded, ${is} here`);
  }
  if (OPAQUE.test(path)) return undefined;
  const key = path.split('.').pop();
  if (was === 'array') return compareArray(recorded, live, by, path, key);
  if (was === 'object') {
    for (const name of Object.keys(recorded)) {
      const at = path ? `${path}.${name}` : name;
      if (!(name in live)) by.report(at, 'missing');
      else compare(recorded[name], live[name], by, at);
    }
    for (const name of Object.keys(live)) if (!(name in recorded)) by.extra(path ? `${path}.${name}` : name);
    return undefined;
  }
  if (by.loose || !VALUES.has(key)) return undefined;
  const want = was === 'string' ? plain(by.names.get(recorded) ?? recorded) : recorded;
  const got = is === 'string' ? plain(live) : live;
  if (want !== got) by.report(path, `${show(want)} recorded, ${show(got)} here`);
  return undefined;
}

function compareArray(recorded, live, by, path, key) {
  if (VALUES.has(key) && !by.loose) {
    const sorted = (list) => JSON.stringify([...list].sort());
    if (sorted(recorded) !== sorted(live)) by.report(path, `${show([...recorded].sort())} recorded, ${show([...live].sort())} here`);
    return undefined;
  }
  if (KEYED[key]) return compareKeyed(recorded, live, by, path, KEYED[key]);
  if (!recorded.length || !live.length || tag(recorded[0]) !== 'object') return undefined;
  // One live entry at least must have what all recorded entries have.
  const common = Object.fromEntries(Object.entries(recorded[0]).filter(([name]) => recorded.every((entry) => name in entry)));
  let fewest;
  for (const entry of live) {
    const found = [];
    compare(common, entry, { ...by, loose: true, report: (at, what) => found.push([at, what]), extra: () => {} }, `${path}[]`);
    if (!fewest || found.length < fewest.length) fewest = found;
  }
  fewest.forEach(([at, what]) => by.report(at, what));
  return undefined;
}

/** Only entries whose live name is known are asked for: the recorded gateway had a past of its own. */
function compareKeyed(recorded, live, by, path, key) {
  for (const entry of recorded) {
    const name = key === 'role' ? entry.role : by.names.get(entry[key]);
    if (name === undefined) continue;
    const twin = live.find((candidate) => candidate[key] === name);
    if (twin) compare(entry, twin, by, `${path}[]`);
    else by.report(`${path}[]`, `entry missing (${key === 'role' ? name : key})`);
  }
  const known = new Set(recorded.map((entry) => (key === 'role' ? entry.role : by.names.get(entry[key]))));
  if (path.endsWith('.pending')) for (const entry of live) if (!known.has(entry[key])) by.report(`${path}[]`, 'entry that was not recorded');
}

/** Learns recorded -> live names from two answers that belong together. */
export function learn(recorded, live, names, path = '') {
  if (tag(recorded) !== tag(live)) return;
  if (Array.isArray(recorded)) return void recorded.forEach((entry, i) => i < live.length && learn(entry, live[i], names, path));
  if (tag(recorded) === 'object') return void Object.keys(recorded).forEach((name) => name in live && learn(recorded[name], live[name], names, name));
  if (typeof recorded === 'string' && recorded && /^(requestId|deviceToken|token|connId|nonce|hash|nodeId)$/.test(path)) names.set(recorded, live);
}

/** A copy with every recorded name replaced by the live one. */
export function rename(value, names) {
  if (Array.isArray(value)) return value.map((v) => rename(v, names));
  if (tag(value) === 'object') return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, rename(v, names)]));
  return typeof value === 'string' ? names.get(value) ?? value : value;
}
