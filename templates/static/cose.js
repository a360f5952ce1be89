// Reads and verifies what a certificate's QR code says, in the browser (docs/formats.md, 6 and 7).
// As strict as credential/cbor.py, cose.py and qr.py: one value, one encoding. Nothing here asks the network.

export class Unreadable extends Error {} // no number of ours, or cut off
export class BadCode extends Error {} // a number that holds nothing of ours
export class Unsupported extends Error {} // this browser cannot tell

const MAX_DIGITS = 3613; // of 1,500 bytes behind the leading 01
const ALGORITHMS = new Map([
  [-7, { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256", ours: ["p-256"], bytes: 64 }],
  [-35, { name: "ECDSA", namedCurve: "P-384", hash: "SHA-384", ours: ["p-384"], bytes: 96 }],
  [-8, { name: "Ed25519", ours: ["ed25519"], bytes: 64 }],
  [-257, { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256", ours: ["rsa-2048", "rsa-3072", "rsa-4096"] }],
]);
const KEYS = { 1: "issuer", 2: "serial", 3: "name", 4: "name_is_cut", 5: "title", 6: "level", 7: "qualified_on",
  8: "status_list", 9: "status_index", 10: "issued_at", 11: "claims_digest" };
const REQUIRED = [1, 2, 8, 9, 10, 11];

// "#1<decimal>" to the bytes of the message.
export function messageOf(fragment) {
  const match = /^#1([1-9][0-9]*)$/.exec(fragment);
  if (!match || match[1].length > MAX_DIGITS) throw new Unreadable("not the number of a code");
  if (!globalThis.BigInt) throw new Unsupported("no long numbers");
  let hex = BigInt(match[1]).toString(16);
  if (hex.length % 2) hex = "0" + hex;
  const bytes = Uint8Array.from(hex.match(/../g), (pair) => parseInt(pair, 16));
  // Tag 18 and an array of four begin every message; a number that was cut off is not called forged.
  if (bytes[0] !== 1 || bytes[1] !== 0xd2 || bytes[2] !== 0x84) throw new Unreadable("no leading 01 d2 84");
  return bytes.subarray(1);
}

// Deterministic CBOR: integers, strings, arrays, maps (as Map), and the tag 18 as {tag, value}.
export function decode(bytes) {
  const [value, end] = read(bytes, 0, 8);
  if (end !== bytes.length) throw new BadCode("something follows the value");
  return value;
}

function read(bytes, start, depth) {
  if (!depth || start >= bytes.length) throw new BadCode("cut off or nested too deep");
  const major = bytes[start] >> 5;
  let argument = bytes[start] & 31;
  let at = start + 1;
  if (argument > 23) {
    const width = [1, 2, 4, 8][argument - 24];
    if (!width || at + width > bytes.length) throw new BadCode("a length is missing");
    const long = bytes.subarray(at, at + width).reduce((sum, byte) => sum * 256 + byte, 0);
    if (long < [24, 256, 65536, 4294967296][argument - 24] || !Number.isSafeInteger(long)) {
      throw new BadCode("a number is not written in the shortest way");
    }
    [argument, at] = [long, at + width];
  }
  if (major === 0) return [argument, at];
  if (major === 1) return [-1 - argument, at];
  if (major === 6) {
    const [value, end] = read(bytes, at, depth - 1);
    return [{ tag: argument, value }, end];
  }
  if (major > 6 || argument > bytes.length - at) throw new BadCode("cut off, or a kind we do not write");
  if (major === 4) {
    const items = [];
    for (let count = 0; count < argument; count++) {
      const [item, end] = read(bytes, at, depth - 1);
      items.push(item);
      at = end;
    }
    return [items, at];
  }
  if (major === 5) return readMap(bytes, at, argument, depth);
  const chunk = bytes.slice(at, at + argument);
  return [major === 2 ? chunk : text(chunk), at + argument];
}

function readMap(bytes, from, count, depth) {
  const entries = new Map();
  let at = from;
  let previous = null;
  for (let done = 0; done < count; done++) {
    const [key, middle] = read(bytes, at, depth - 1);
    const spelt = bytes.subarray(at, middle);
    if (!["number", "string"].includes(typeof key)) throw new BadCode("a key is neither number nor text");
    if (previous && compare(previous, spelt) >= 0) throw new BadCode("keys are out of order or stand twice");
    previous = spelt;
    const [value, end] = read(bytes, middle, depth - 1);
    entries.set(key, value);
    at = end;
  }
  return [entries, at];
}

function compare(one, other) {
  for (let at = 0; at < Math.min(one.length, other.length); at++) {
    if (one[at] !== other[at]) return one[at] - other[at];
  }
  return one.length - other.length;
}

function text(chunk) {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(chunk);
  } catch {
    throw new BadCode("a text is not UTF-8");
  }
}

// A COSE_Sign1 message taken apart; nothing in it is believed yet.
export function open(message) {
  const whole = decode(message);
  const parts = whole?.tag === 18 && Array.isArray(whole.value) && whole.value.length === 4 ? whole.value : [];
  const [header, unprotected, payload, signature] = parts;
  const isShaped = [header, payload, signature].every((part) => part instanceof Uint8Array);
  if (!isShaped || !(unprotected instanceof Map) || unprotected.size) throw new BadCode("no COSE_Sign1 of ours");
  const fields = decode(header);
  const [algorithm, kid] = fields instanceof Map && fields.size === 2 ? [fields.get(1), fields.get(4)] : [];
  if (!ALGORITHMS.has(algorithm) || !(kid instanceof Uint8Array) || kid.length !== 8) {
    throw new BadCode("its headers are not alg and kid");
  }
  return { algorithm, kid: hex(kid), header, payload, signature };
}

// The claims in a payload, by name.
export function claimsOf(payload) {
  const entries = decode(payload);
  const isOurs = entries instanceof Map && entries.get(0) === 2 && REQUIRED.every((key) => entries.has(key));
  if (!isOurs) throw new BadCode("not the claims of a QR code");
  const claims = {};
  for (const [key, value] of entries) {
    if (key === 0) continue;
    if (!KEYS[key]) throw new BadCode("an unknown claim");
    claims[KEYS[key]] = value;
  }
  const isTyped = ["issuer", "serial", "name", "title", "level", "qualified_on"].every(
    (name) => ["string", "undefined"].includes(typeof claims[name]),
  );
  if (!isTyped || !Number.isInteger(claims.issued_at) || !(claims.claims_digest instanceof Uint8Array)) {
    throw new BadCode("a claim is of the wrong kind");
  }
  return claims;
}

export async function keyId(publicKey) {
  return hex(new Uint8Array(await crypto.subtle.digest("SHA-256", publicKey)).subarray(0, 8));
}

// True when this key, SPKI in DER, signed the message.
export async function isSignedBy(message, publicKey, ours) {
  const algorithm = ALGORITHMS.get(message.algorithm);
  if (!algorithm.ours.includes(ours)) return false;
  if (algorithm.bytes && message.signature.length !== algorithm.bytes) return false;
  const content = concatenate([
    [0x84, 0x6a], new TextEncoder().encode("Signature1"), byteString(message.header), [0x40], byteString(message.payload),
  ]);
  let key;
  try {
    key = await crypto.subtle.importKey("spki", publicKey, algorithm, false, ["verify"]);
  } catch (error) {
    throw new Unsupported("this browser does not know the algorithm", { cause: error });
  }
  return crypto.subtle.verify(algorithm, key, message.signature, content);
}

// Verifies a fragment against keys as the trust list writes them, or else `others`; in the order of verifier/steps.py.
// Returns {outcome: "good" | "forged" | "foreign", claims}; raises Unreadable, BadCode or Unsupported.
export async function verify(fragment, keys, others = async () => []) {
  const message = open(messageOf(fragment));
  if (!globalThis.crypto?.subtle) throw new Unsupported("no cryptography in this browser");
  const key = (await named(message, keys)) ?? (await named(message, await others()));
  if (!key) return { outcome: "foreign" };
  if (!(await isSignedBy(message, bytesOf(key.public_key), key.algorithm))) return { outcome: "forged" };
  const claims = claimsOf(message.payload);
  if (key.issuer !== claims.issuer) return { outcome: "forged", claims };
  const issued = claims.issued_at * 1000;
  const isInTime = Date.parse(key.valid_from) <= issued && !(key.valid_until && issued >= Date.parse(key.valid_until));
  return { outcome: isInTime && !key.compromised_since ? "good" : "foreign", claims };
}

async function named(message, keys) {
  for (const key of keys) if ((await keyId(bytesOf(key.public_key))) === message.kid) return key;
  return undefined;
}

export function bytesOf(base64) {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}

// Names of the claims that differ from what a page shows. Words too long for a code are its beginning.
export function differences(claims, shown) {
  return Object.keys(shown).filter((name) => {
    if (name === "claims_digest") return hex(claims.claims_digest) !== shown.claims_digest;
    const said = claims[name] ?? "";
    if (name === "name") return claims.name_is_cut === 1 ? !shown.name.startsWith(said) : said !== shown.name;
    return said !== shown[name] && !(said.endsWith("…") && shown[name].startsWith(said.slice(0, -1)));
  });
}

function byteString(bytes) {
  const length = bytes.length;
  const head = length < 24 ? [0x40 | length] : length < 256 ? [0x58, length] : [0x59, length >> 8, length & 255];
  return concatenate([head, bytes]);
}

function concatenate(parts) {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function hex(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
