// docs/formats.md, sections 6 and 8: signed messages, and the trust list that says whose keys they may be signed with.

import { createHash, createPublicKey, verify } from "node:crypto";

import { decodeCbor, demand, encodeCbor, inOrder, readBase64, readJson, Refused, Tagged } from "./encoding.mjs";

export const sha256 = (bytes) => createHash("sha256").update(bytes).digest();
export const keyId = (spki) => sha256(spki).subarray(0, 8);

const PAYLOAD_TYPE = "application/vnd.yinzheng.trust-list+json";
const ALGORITHMS = {
  "p-256": { cose: -7, hash: "sha256", bytes: 64 },
  "p-384": { cose: -35, hash: "sha384", bytes: 96 },
  ed25519: { cose: -8, hash: null, bytes: 64 },
  "rsa-2048": { cose: -257, hash: "sha256", bytes: 256 },
  "rsa-3072": { cose: -257, hash: "sha256", bytes: 384 },
  "rsa-4096": { cose: -257, hash: "sha256", bytes: 512 },
};
const ROLES = ["pdf", "qr", "log", "status", "receipt"];
const OF_AN_ISSUER = ["pdf", "qr"];
const MEMBERS = [
  "ca_certs", "expires", "format", "issued_at", "issuers", "keys", "log_origin", "roots", "threshold", "version",
  "witness_threshold", "witnesses",
];
const MAY_BE_ABSENT = ["former_logs", "tsa_certs"];
const KEY_MEMBERS = ["algorithm", "compromised_since", "issuer", "public_key", "role", "valid_from", "valid_until"];
const MOMENT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;
const KEY_NAME = /^[!-*,-~]{1,200}$/;

function algorithmOf(spki) {
  const key = createPublicKey({ key: spki, format: "der", type: "spki" });
  if (key.asymmetricKeyType === "ed25519") return "ed25519";
  if (key.asymmetricKeyType === "rsa") return `rsa-${key.asymmetricKeyDetails.modulusLength}`;
  return { prime256v1: "p-256", secp384r1: "p-384" }[key.asymmetricKeyDetails?.namedCurve];
}

export function isSigned(spki, content, signature) {
  const { hash, bytes } = ALGORITHMS[algorithmOf(spki)];
  const key = { key: spki, format: "der", type: "spki", dsaEncoding: "ieee-p1363" };
  return signature.length === bytes && verify(hash, content, key, signature);
}

// ---- the list -------------------------------------------------------------------------------------------------

export function openTrustList({ envelope, roots, threshold, seen, now }) {
  const step = "trust-list";
  const outer = readJson(envelope, step);
  const oneForm = Buffer.from(`${JSON.stringify(inOrder(outer), null, 1)}\n`);
  demand(oneForm.equals(envelope), step, "the envelope is not in the one form");
  demand(Object.keys(outer).sort().join() === "payload,payloadType,signatures", step, "the members of the envelope");
  demand(outer.payloadType === PAYLOAD_TYPE, step, "another payload type");
  const payload = readBase64(outer.payload, step);
  const head = `DSSEv1 ${Buffer.byteLength(PAYLOAD_TYPE)} ${PAYLOAD_TYPE} ${payload.length} `;
  const content = Buffer.concat([Buffer.from(head), payload]);
  const countSigners = (keys) =>
    keys.filter((root) =>
      outer.signatures.some(
        ({ keyid, sig }) => keyid === keyId(root).toString("hex") && isSigned(root, content, readBase64(sig, step)),
      ),
    ).length;
  demand(Array.isArray(outer.signatures) && outer.signatures.length <= 64, step, "too many signatures");
  demand(countSigners(distinct(roots)) >= threshold, step, "too few of the pinned roots have signed");
  const list = readList(payload);
  demand(countSigners(list.roots) >= list.threshold, step, "too few of the list's own roots have signed");
  demand(list.version >= seen, step, "older than a list accepted before");
  demand(now < list.expires, step, "expired");
  return list;
}

const distinct = (keys) => [...new Map(keys.map((key) => [key.toString("hex"), key])).values()];

function readList(payload) {
  const step = "trust-list";
  const told = readJson(payload, step);
  demand(Buffer.from(JSON.stringify(inOrder(told))).equals(payload), step, "the payload is not in the one form");
  const names = Object.keys(told).filter((name) => !(MAY_BE_ABSENT.includes(name) && told[name].length > 0));
  demand(names.join() === MEMBERS.join(), step, "a member is missing or unknown");
  demand(told.format === "yinzheng-trust-list/1", step, "another format");
  const spki = (text) => {
    const key = readBase64(text, step);
    try {
      demand(algorithmOf(key) in ALGORITHMS, step, "a kind of key that is not accepted");
    } catch {
      throw new Refused(step, "a key cannot be read");
    }
    return key;
  };
  const list = {
    version: told.version,
    issuedAt: moment(told.issued_at),
    expires: moment(told.expires),
    logOrigin: told.log_origin,
    issuers: new Map(told.issuers.map(({ uscc, name }) => [uscc, name])),
    keys: told.keys.map((key) => {
      demand(Object.keys(key).join() === KEY_MEMBERS.join(), step, "the members of a key");
      return {
        role: key.role,
        issuer: key.issuer,
        algorithm: key.algorithm,
        spki: spki(key.public_key),
        from: moment(key.valid_from),
        until: key.valid_until === null ? Infinity : moment(key.valid_until),
        compromised: key.compromised_since === null ? Infinity : moment(key.compromised_since),
      };
    }),
    witnesses: told.witnesses.map(({ name, public_key }) => ({ name, key: readBase64(public_key, step) })),
    witnessThreshold: told.witness_threshold,
    roots: told.roots.map(spki),
    threshold: told.threshold,
    formerLogs: (told.former_logs ?? []).map(({ origin, size, root }) => ({ origin, size, root: readBase64(root, step) })),
  };
  demand(Number.isInteger(list.version) && list.version >= 1 && list.issuedAt < list.expires, step, "version or times");
  demand(KEY_NAME.test(list.logOrigin), step, "the log's origin");
  demand(list.issuers.size === told.issuers.length, step, "an issuer stands twice");
  const all = [...list.keys.map((key) => key.spki), ...list.roots].map((key) => key.toString("hex"));
  demand(new Set(all).size === all.length, step, "a key stands twice");
  for (const key of list.keys) {
    demand(ROLES.includes(key.role), step, "an unknown role");
    const isShared = key.issuer === "" && !OF_AN_ISSUER.includes(key.role);
    demand(list.issuers.has(key.issuer) || isShared, step, "a key of an issuer that is not listed");
    demand(algorithmOf(key.spki) === key.algorithm, step, "a key of another algorithm than it says");
    demand(key.role !== "log" || key.algorithm === "ed25519", step, "a log key is Ed25519");
    demand(key.from < key.until, step, "a key that ends before it begins");
  }
  demand(list.roots.every((root) => algorithmOf(root) === "ed25519"), step, "a root is Ed25519");
  demand(list.threshold >= 1 && list.threshold <= list.roots.length, step, "the threshold of the roots");
  demand(list.witnessThreshold >= 0 && list.witnessThreshold <= list.witnesses.length, step, "that of the witnesses");
  demand(list.witnesses.every(({ name, key }) => KEY_NAME.test(name) && key.length === 32), step, "a witness");
  return list;
}

function moment(text) {
  const seconds = MOMENT.test(text) ? Date.parse(text) / 1000 : NaN;
  demand(Number.isInteger(seconds), "trust-list", "a time is not UTC in whole seconds");
  return seconds;
}

// A key of a role, at the moment its signature names; after a compromise only older evidence would help.
export function findKey(list, kid, role, issuer, at) {
  const key = list.keys.find((one) => one.role === role && keyId(one.spki).equals(kid));
  demand(key !== undefined, "key", `no ${role} key has this identifier`);
  demand(issuer === null || key.issuer === issuer, "key", "the key is another issuer's");
  demand(key.from <= at && at < key.until, "key", "the key was not valid then");
  demand(key.compromised === Infinity, "key", "the key was declared compromised");
  return key;
}

// ---- signed messages ------------------------------------------------------------------------------------------

export function openMessage(message, step = "cose") {
  const tagged = decodeCbor(message, step);
  demand(tagged instanceof Tagged && tagged.tag === 18, step, "no tagged COSE_Sign1");
  demand(Array.isArray(tagged.value) && tagged.value.length === 4, step, "not four parts");
  const [protectedBytes, unprotected, payload, signature] = tagged.value;
  const isBytes = [protectedBytes, payload, signature].every(Buffer.isBuffer);
  demand(isBytes && unprotected instanceof Map && unprotected.size === 0, step, "parts of other types");
  const header = decodeCbor(protectedBytes, step);
  demand(header instanceof Map, step, "the protected header is no map");
  return { header, payload, signature, signed: encodeCbor(["Signature1", protectedBytes, Buffer.alloc(0), payload]) };
}

export function checkHeader({ header }, step = "cose") {
  demand([...header.keys()].join() === "1,4", step, "headers other than alg and kid");
  const kid = header.get(4);
  demand(Buffer.isBuffer(kid) && kid.length === 8, step, "the key identifier");
  return kid;
}

export function checkSignature({ header, signed, signature }, key) {
  demand(header.get(1) === ALGORITHMS[key.algorithm].cose, "signature", "another algorithm than the key's");
  demand(isSigned(key.spki, signed, signature), "signature", "the signature does not fit");
}
