// docs/formats-log.md, sections 1, 3 and 4: leaves, checkpoints, cosignatures, proofs of inclusion and of growth.

import { verify } from "node:crypto";

import { demand, encodeCbor, readBase64, Refused } from "./encoding.mjs";
import { sha256 } from "./trust.mjs";

const ED25519_SPKI = Buffer.from("302a300506032b6570032100", "hex"); // RFC 8410; the 32 bytes of the key follow
const LINE = /^— ([^ \t+]+) ([A-Za-z0-9+/=]+)$/;
const DECIMAL = /^(0|[1-9]\d{0,15})$/;
const PUBLIC_SALT = Buffer.alloc(16);
const SEPARATOR = "\n\n";

// ---- leaves ---------------------------------------------------------------------------------------------------

export const issueLeaf = (claimsDigest, salt) => leaf("issue", [claimsDigest], salt);
export const sealLeaf = (document, salt) => leaf("seal", [sha256(document)], salt);
export const statusListLeaf = (uri, issuedAt, bytes) => leaf("status-list", [uri, issuedAt, sha256(bytes)], PUBLIC_SALT);
export const keyLeaf = (role, owner, spki) => leaf("key", [role, owner, spki], PUBLIC_SALT);
export const trustListLeaf = (envelope) => leaf("trust-list", [sha256(envelope)], PUBLIC_SALT);

function leaf(kind, content, salt) {
  const commitment = sha256(Buffer.concat([Buffer.from(`yinzheng.log/v1/${kind}\0`), salt, encodeCbor(content)]));
  return encodeCbor([kind, 1, commitment]);
}

const hashLeaf = (bytes) => sha256(Buffer.concat([Buffer.from([0]), bytes]));
const hashNode = (left, right) => sha256(Buffer.concat([Buffer.from([1]), left, right]));

// ---- notes ----------------------------------------------------------------------------------------------------

function readNote(note) {
  const step = "checkpoint";
  const at = note.lastIndexOf(SEPARATOR);
  demand(at > 0 && note.endsWith("\n") && note.length <= 1_000_000, step, "no signed note");
  demand(!/[\u0000-\u0009\u000b-\u001f\u007f]/.test(note), step, "control characters");
  const signatures = note
    .slice(at + SEPARATOR.length, -1)
    .split("\n")
    .map((line) => {
      const found = LINE.exec(line);
      demand(found !== null, step, "a signature line is malformed");
      const bytes = readBase64(found[2], step);
      demand(bytes.length > 4, step, "a signature is too short");
      return { name: found[1], id: bytes.subarray(0, 4), signature: bytes.subarray(4) };
    });
  return { text: note.slice(0, at + 1), signatures };
}

const linesBy = ({ signatures }, name, type, key) => {
  const id = sha256(Buffer.concat([Buffer.from(`${name}\n`), Buffer.from([type]), key])).subarray(0, 4);
  return signatures.filter((one) => one.name === name && one.id.equals(id)).map((one) => one.signature);
};

const isSignedBy = (key, content, signature) =>
  signature.length === 64 &&
  verify(null, content, { key: Buffer.concat([ED25519_SPKI, key]), format: "der", type: "spki" }, signature);

// Any log key that the list names will do, but one whose line is bad spoils the note.
export function openCheckpoint(text, list) {
  const step = "checkpoint";
  const note = readNote(text);
  const [origin, size, root, ...more] = note.text.slice(0, -1).split("\n");
  demand(more.every((line) => line !== "") && DECIMAL.test(size ?? ""), step, "the three lines of a checkpoint");
  const digest = readBase64(root, step);
  demand(digest.length === 32, step, "the root");
  const former = list.formerLogs.find((one) => one.origin === origin);
  demand(origin === list.logOrigin || former !== undefined, step, "a checkpoint of another log");
  demand(former === undefined || Number(size) <= former.size, step, "a log that was given up has grown");
  demand(Number(size) !== former?.size || digest.equals(former.root), step, "not the last one of that log");
  const logKeys = list.keys.filter((key) => key.role === "log" && key.compromised === Infinity);
  let signed = 0;
  for (const { spki } of logKeys) {
    for (const signature of linesBy(note, origin, 1, spki.subarray(-32))) {
      demand(isSignedBy(spki.subarray(-32), Buffer.from(note.text), signature), step, "a signature of the log is bad");
      signed += 1;
    }
  }
  demand(signed > 0, step, "not signed by a key of the log");
  const witnesses = countWitnesses(note, list);
  demand(witnesses >= list.witnessThreshold, "cosignatures", "too few witnesses have cosigned");
  return { origin, size: Number(size), root: digest, witnesses };
}

// A witness whose key does something else in the list does not count: a log cannot vouch for itself.
function countWitnesses(note, list) {
  const step = "cosignatures";
  const taken = list.keys.map(({ spki }) => spki.toString("hex"));
  const isFree = ({ key }) => !taken.includes(Buffer.concat([ED25519_SPKI, key]).toString("hex"));
  const good = list.witnesses.filter(isFree).filter(({ name, key }) => {
    const lines = linesBy(note, name, 4, key);
    for (const line of lines) {
      demand(line.length === 72, step, "the form of a cosignature");
      const time = line.readBigUInt64BE(0);
      demand(time > 0n && time < 2n ** 63n, step, "the time of a cosignature");
      const content = Buffer.from(`cosignature/v1\ntime ${time}\n${note.text}`);
      demand(isSignedBy(key, content, line.subarray(8)), step, "a cosignature is bad");
    }
    return lines.length > 0;
  });
  return good.length;
}

// ---- proofs ---------------------------------------------------------------------------------------------------

export function checkProof(text, bytes, list) {
  const step = "proof";
  const at = text.indexOf(SEPARATOR);
  demand(at > 0, step, "no proof");
  const lines = text.slice(0, at).split("\n");
  demand(lines.shift() === "c2sp.org/tlog-proof@v1", step, "another format");
  if (lines[0]?.startsWith("extra ")) readBase64(lines.shift().slice(6), step);
  const found = /^index (0|[1-9]\d{0,15})$/.exec(lines.shift() ?? "");
  demand(found !== null, step, "no index");
  const checkpoint = openCheckpoint(text.slice(at + SEPARATOR.length), list);
  const hashes = lines.map((line) => readBase64(line, step));
  checkInclusion(hashLeaf(bytes), BigInt(found[1]), checkpoint, hashes);
  return checkpoint;
}

// RFC 9162, 2.1.3.2.
function checkInclusion(hash, index, { size, root }, hashes) {
  const step = "proof";
  demand(index < BigInt(size), step, "there is no such leaf in the tree");
  let first = index;
  let last = BigInt(size) - 1n;
  let node = hash;
  for (const other of hashes) {
    demand(last > 0n && other.length === 32, step, "too many hashes, or one of another length");
    if (first & 1n || first === last) {
      node = hashNode(other, node);
      while (!(first & 1n) && first !== 0n) {
        first >>= 1n;
        last >>= 1n;
      }
    } else {
      node = hashNode(node, other);
    }
    first >>= 1n;
    last >>= 1n;
  }
  demand(last === 0n, step, "too few hashes");
  demand(node.equals(root), step, "the leaf is not in the tree");
}

// RFC 9162, 2.1.4.2: the later tree is the earlier one with leaves behind it.
export function checkGrowth(before, after, hashes) {
  const step = "consistency";
  demand(before.origin === after.origin && before.size <= after.size, step, "the log has shrunk, or is another");
  if (before.size === after.size || before.size === 0) {
    const isSame = before.size === 0 || before.root.equals(after.root);
    demand(hashes.length === 0 && isSame, step, "two trees of one size");
    return;
  }
  let first = BigInt(before.size) - 1n;
  let last = BigInt(after.size) - 1n;
  const path = [...hashes];
  if ((BigInt(before.size) & first) === 0n) path.unshift(before.root);
  while (first & 1n) {
    first >>= 1n;
    last >>= 1n;
  }
  demand(path.length > 0 && path.every((one) => one.length === 32), step, "too few hashes, or one of another length");
  let older = path.shift();
  let newer = older;
  for (const other of path) {
    demand(last > 0n, step, "too many hashes");
    if (first & 1n || first === last) {
      older = hashNode(other, older);
      newer = hashNode(other, newer);
      while (!(first & 1n) && first !== 0n) {
        first >>= 1n;
        last >>= 1n;
      }
    } else {
      newer = hashNode(newer, other);
    }
    first >>= 1n;
    last >>= 1n;
  }
  if (last !== 0n) throw new Refused(step, "too few hashes");
  demand(older.equals(before.root) && newer.equals(after.root), step, "the log was not only added to");
}

// ---- the whole log --------------------------------------------------------------------------------------------

// Section 2: entry bundles, each entry behind its length in two bytes; together they must give the checkpoint's root.
export function readEntries(bundles, { size, root }) {
  const step = "entries";
  const entries = [];
  for (const bundle of bundles) {
    for (let at = 0; at < bundle.length; ) {
      const end = at + 2 + bundle.readUInt16BE(at);
      demand(end <= bundle.length, step, "an entry is cut off");
      entries.push(bundle.subarray(at + 2, end));
      at = end;
    }
  }
  demand(entries.length >= size, step, "entries are missing");
  const covered = entries.slice(0, size);
  demand(rootOf(covered.map(hashLeaf)).equals(root), step, "the entries do not give the root");
  return covered;
}

function rootOf(hashes) {
  if (hashes.length === 0) return sha256(Buffer.alloc(0));
  if (hashes.length === 1) return hashes[0];
  let half = 1;
  while (half * 2 < hashes.length) half *= 2;
  return hashNode(rootOf(hashes.slice(0, half)), rootOf(hashes.slice(half)));
}

export function checkEntered(entries, bytes) {
  demand(entries.some((entry) => entry.equals(bytes)), "entries", "the log has no such entry");
}
