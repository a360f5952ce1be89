// docs/formats-log.md, section 5: status lists, as CWT or as JWT.

import { inflateSync } from "node:zlib";

import { decodeCbor, demand, readBase64, readJson, Refused } from "./encoding.mjs";
import { checkSignature, findKey, openMessage } from "./trust.mjs";

const step = "status-list";
const SKEW = 300; // seconds
const MOST = 1 << 20; // bytes, inflated
const WORDS = ["valid", "invalid", "suspended", "superseded"];

export function openStatusList(token, list, now) {
  const told = token[0] === 0xd2 ? readCwt(token, list, now) : readJwt(token, list, now);
  const { sub, iat, exp, ttl, bits } = told;
  const isTime = (value) => Number.isSafeInteger(value) && value > 0;
  demand(typeof sub === "string" && isTime(iat) && isTime(exp) && isTime(ttl), step, "sub, iat, exp or ttl");
  demand([1, 2, 4, 8].includes(bits) && Buffer.isBuffer(told.lst), step, "bits or lst");
  demand(iat <= now + SKEW, step, "issued in the future");
  demand(now < exp, "status-expired", "too old to say anything");
  return { sub, iat, exp, bits, bytes: inflate(told.lst) };
}

function readCwt(token, list, now) {
  const opened = openMessage(token, step);
  const { header } = opened;
  demand([...header.keys()].join() === "1,4,16", step, "the headers");
  demand(header.get(16) === "application/statuslist+cwt", step, "another type");
  const claims = decodeCbor(opened.payload, step);
  const inner = claims instanceof Map ? claims.get(65533) : null;
  demand(inner instanceof Map, step, "no status_list");
  demand(Buffer.isBuffer(header.get(4)), step, "the key identifier");
  checkSignature(opened, findKey(list, header.get(4), "status", null, now));
  const [sub, iat, exp, ttl] = [2, 6, 4, 65534].map((key) => claims.get(key));
  return { sub, iat, exp, ttl, bits: inner.get("bits"), lst: inner.get("lst") };
}

function readJwt(token, list, now) {
  const parts = token.toString("latin1").split(".");
  demand(parts.length === 3, step, "neither CWT nor JWT");
  const [header, claims] = parts.slice(0, 2).map((part) => readJson(readBase64(part, step, "base64url"), step));
  demand(header?.alg === "ES256" && header.typ === "statuslist+jwt" && !("crit" in header), step, "the header");
  const signature = readBase64(parts[2], step, "base64url");
  const key = findKey(list, readBase64(header.kid, step, "base64url"), "status", null, now);
  const asMessage = { header: new Map([[1, -7]]), signed: Buffer.from(`${parts[0]}.${parts[1]}`), signature };
  checkSignature(asMessage, key);
  const { sub, iat, exp, ttl, status_list: inner } = claims ?? {};
  return { sub, iat, exp, ttl, bits: inner?.bits, lst: readBase64(inner?.lst, step, "base64url") };
}

function inflate(compressed) {
  let found;
  try {
    found = inflateSync(compressed, { maxOutputLength: MOST, info: true });
  } catch {
    throw new Refused(step, "no zlib stream, cut off, or too long");
  }
  demand(found.engine.bytesWritten === compressed.length, step, "bytes follow the zlib stream");
  return found.buffer;
}

export function checkSlot({ sub, bits, bytes }, uri, slot) {
  demand(sub === uri, step, "the list of another address");
  const inByte = 8 / bits;
  demand(slot < bytes.length * inByte, step, "there is no such slot");
  const value = (bytes[Math.floor(slot / inByte)] >> ((slot % inByte) * bits)) & ((1 << bits) - 1);
  demand(value === 0, "status", WORDS[value] ?? "invalid");
}

// A QR code names its list by number only, which is the last part of the list's address.
export function checkNumber({ sub }, number) {
  demand(sub.slice(sub.lastIndexOf("/") + 1) === String(number), step, "the list of another number");
}
