// An independent verifier, written from docs/formats.md and docs/formats-log.md alone: plain Node.js, no packages.
// Reads {"world": {...}, "cases": [{"name", "check", ...}]} from standard input; bytes are in base64. Writes one
// result a case: the step that refused it, or null.

import { readFileSync } from "node:fs";

import { checkClaims, checkQr, checkSame } from "./credential.mjs";
import { Refused } from "./encoding.mjs";
import {
  checkEntered, checkGrowth, checkProof, issueLeaf, keyLeaf, openCheckpoint, readEntries, sealLeaf, statusListLeaf,
  trustListLeaf,
} from "./log.mjs";
import { checkNumber, checkSlot, openStatusList } from "./status.mjs";
import { openTrustList } from "./trust.mjs";

const bytes = (text) => Buffer.from(text, "base64");
const demandDay = ({ expiresOn }, now) => {
  const today = new Date((now + 8 * 3600) * 1000).toISOString().slice(0, 10); // Beijing has no summer time
  if (expiresOn !== null && today > expiresOn) throw new Refused("expired", "the last day of validity is over");
};

const CHECKS = {
  // Paper alone, offline: whose signature, and what the list says; the log is not asked.
  paper({ text, token, origins, now }, list) {
    const qr = checkQr(text, list, origins);
    const found = openStatusList(bytes(token), list, now);
    checkNumber(found, qr.list);
    checkSlot(found, found.sub, qr.slot);
  },
  // A file with the proofs that a register hands out.
  file({ text, claims, document, proof, seal, token, origins, now }, list) {
    const told = checkClaims(bytes(claims), list);
    const qr = checkQr(text, list, origins);
    checkSame(qr, told);
    checkProof(proof, issueLeaf(told.digest, told.salt), list);
    checkProof(seal, sealLeaf(bytes(document), told.salt), list);
    const found = openStatusList(bytes(token), list, now);
    checkSlot(found, told.statusUri, told.slot);
    checkNumber(found, qr.list);
    demandDay(told, now);
  },
  // A file with nothing but what a service publishes: the seal's leaf is looked for in the log's entries.
  published({ text, claims, document, proof, token, note, bundles, origins, now }, list) {
    const told = checkClaims(bytes(claims), list);
    checkSame(checkQr(text, list, origins), told);
    checkProof(proof, issueLeaf(told.digest, told.salt), list);
    const entries = readEntries(bundles.map(bytes), openCheckpoint(note, list));
    checkEntered(entries, issueLeaf(told.digest, told.salt));
    checkEntered(entries, sealLeaf(bytes(document), told.salt));
    const found = openStatusList(bytes(token), list, now);
    checkEntered(entries, statusListLeaf(found.sub, found.iat, found.bytes));
    checkSlot(found, told.statusUri, told.slot);
    demandDay(told, now);
  },
  trust() {},
  list({ token, uri, slot, proof, now }, list) {
    const found = openStatusList(bytes(token), list, now);
    checkSlot(found, uri, slot);
    if (proof) checkProof(proof, statusListLeaf(found.sub, found.iat, found.bytes), list);
  },
  checkpoint({ note }, list) {
    openCheckpoint(note, list);
  },
  growth({ before, after, hashes }, list) {
    checkGrowth(openCheckpoint(before, list), openCheckpoint(after, list), hashes.map(bytes));
  },
  listed({ proof, older }, list) {
    checkProof(proof, trustListLeaf(bytes(older)), list);
  },
  key({ proof, role, owner, spki }, list) {
    checkProof(proof, keyLeaf(role, owner, bytes(spki)), list);
  },
};

function judge(given) {
  try {
    const { envelope, roots, threshold, seen, now } = given;
    const list = openTrustList({ envelope: bytes(envelope), roots: roots.map(bytes), threshold, seen, now });
    CHECKS[given.check](given, list);
    return { name: given.name, step: null, why: "" };
  } catch (error) {
    if (!(error instanceof Refused)) throw error; // a fault of this program is never an answer
    return { name: given.name, step: error.step, why: error.message };
  }
}

const { world, cases } = JSON.parse(readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(cases.map((one) => judge({ ...world, ...one }))));
