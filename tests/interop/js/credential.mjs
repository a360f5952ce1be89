// docs/formats.md, sections 2, 3, 5 and 7: the claims of a certificate, and the text of its QR code.

import { decodeCbor, demand } from "./encoding.mjs";
import { checkHeader, checkSignature, findKey, openMessage, sha256 } from "./trust.mjs";

const CODE = "[0-9A-HJKMNP-TV-Z]{16}";
const LABEL = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?";
const QR_TEXT = new RegExp(`^(https?://${LABEL}(?:\\.${LABEL})*(?::[1-9][0-9]{0,4})?)/c/(${CODE})#([0-9])([0-9]+)$`);
const LINE = /^[^\u0000-\u001f\u007f-\u009f]+$/u;
const ISSUER = /^[0-9A-Z]{18}$/;
const SERIAL = /^[0-9A-Z]{1,64}$/;
const DATE = /^(\d{4})(?:-(\d\d)(?:-(\d\d))?)?$/;
const MOD_37 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ*";
const LAST_SLOT = 2 ** 20 - 1;

const isText = (form, most = 2000) => (value) =>
  typeof value === "string" && form.test(value) && [...value].length <= most;
const isWhole = (least, most) => (value) => Number.isInteger(value) && value >= least && value <= most;
const isBytes = (length) => (value) => Buffer.isBuffer(value) && value.length === length;
const isDate = (value) => {
  const parts = typeof value === "string" ? DATE.exec(value) : null;
  if (parts === null) return false;
  const [, year, month = "01", day = "01"] = parts;
  const found = new Date(`${year}-${month}-${day}T00:00:00Z`);
  return !Number.isNaN(found.valueOf()) && found.toISOString().startsWith(`${year}-${month}-${day}`);
};
const isMoment = isWhole(0, 253402300799);

function checkMap(payload, rules, optional) {
  const entries = decodeCbor(payload, "claims");
  demand(entries instanceof Map, "claims", "the payload is no map");
  for (const [key, value] of entries) {
    demand(key in rules, "claims", `key ${key} is unknown`);
    demand(rules[key](value), "claims", `the value of key ${key}`);
  }
  for (const key of Object.keys(rules)) {
    demand(entries.has(Number(key)) || optional.includes(Number(key)), "claims", `key ${key} is missing`);
  }
  return entries;
}

// ---- the QR code ----------------------------------------------------------------------------------------------

const QR_RULES = {
  0: (value) => value === 2,
  1: isText(ISSUER),
  2: isText(SERIAL),
  3: isText(LINE, 200),
  4: (value) => value === 1,
  5: isText(LINE, 200),
  6: isText(LINE, 200),
  7: isDate,
  8: isWhole(0, 2 ** 31 - 1),
  9: isWhole(0, LAST_SLOT),
  10: isMoment,
  11: isBytes(32),
};

export function readQrText(text) {
  const found = text.length <= 4096 ? QR_TEXT.exec(text) : null;
  demand(found !== null, "qr-text", "not the text of such a code");
  const [, origin, code, format, digits] = found;
  demand(format === "1" && !digits.startsWith("0"), "qr-text", "another format, or a leading zero");
  const hex = BigInt(digits).toString(16);
  const bytes = Buffer.from(hex.length % 2 ? `0${hex}` : hex, "hex");
  demand(bytes.subarray(0, 3).toString("hex") === "01d284", "qr-text", "cut off");
  return { origin, code, message: bytes.subarray(1) };
}

export function checkQr(text, list, origins) {
  const { origin, code, message } = readQrText(text);
  const opened = openMessage(message);
  const kid = checkHeader(opened);
  const entries = checkMap(opened.payload, QR_RULES, [3, 4, 5, 6, 7]);
  const issuer = entries.get(1);
  const key = findKey(list, kid, "qr", issuer, entries.get(10));
  checkSignature(opened, key);
  demand(origins.includes(origin), "origin", "the code leads to another site than the issuer's");
  return { code, issuer, serial: entries.get(2), list: entries.get(8), slot: entries.get(9), digest: entries.get(11) };
}

// ---- the full claims ------------------------------------------------------------------------------------------

const HOLDER = { 1: isText(LINE), 2: isText(/^[0-9A-Z]{1,3}$/), 3: isText(/^[^\u0000-\u001f\u007f-\u009f]*$/u), 4: isText(/^[^\u0000-\u001f\u007f-\u009f]*$/u) };
const CLAIM_RULES = {
  0: (value) => value === 1,
  1: isText(ISSUER),
  2: isText(LINE),
  3: isText(SERIAL),
  4: isWhole(1, 999),
  5: isText(/^[a-z][a-z0-9-]{0,63}$/),
  6: isText(LINE),
  7: (value) => value instanceof Map && [...value.keys()].join() === "1,2,3,4" && [...value].every(([k, v]) => HOLDER[k](v)),
  8: (value) =>
    value instanceof Map && [...value].every(([k, v]) => isText(/^[a-z][a-z0-9_]{0,63}$/)(k) && isText(LINE)(v)),
  9: isMoment,
  10: isDate,
  11: (value) => isDate(value) && value.length === 10,
  12: isText(/^https?:\/\/[!-~]{1,1000}$/),
  13: isWhole(0, LAST_SLOT),
  14: isText(new RegExp(`^${CODE}$`)),
  15: isBytes(32),
  16: isBytes(32),
  17: isBytes(16),
};

export function checkClaims(message, list) {
  const opened = openMessage(message);
  const kid = checkHeader(opened);
  demand(opened.payload.length <= 65536, "claims", "longer than 64 KiB");
  const entries = checkMap(opened.payload, CLAIM_RULES, [11, 15]);
  checkIdentifier(entries.get(6), entries.get(1), entries.get(3), entries.get(4));
  checkSignature(opened, findKey(list, kid, "qr", entries.get(1), entries.get(9)));
  return {
    issuer: entries.get(1),
    serial: entries.get(3),
    expiresOn: entries.get(11) ?? null,
    statusUri: entries.get(12),
    slot: entries.get(13),
    code: entries.get(14),
    photo: entries.get(15) ?? null,
    salt: entries.get(17),
    digest: sha256(opened.payload),
  };
}

// Section 2: 1.2.156.3005.2.<type 21>.<issuer 18>.<serial>.<version 3>.<check>, ISO 7064 MOD 37,36.
function checkIdentifier(text, issuer, serial, version) {
  const found = /^1\.2\.156\.3005\.2\.([0-9A-Z]{21})\.([0-9A-Z]{18})\.([0-9A-Z]{1,64})\.(\d{3})\.([0-9A-Z])$/.exec(text);
  demand(found !== null, "claims", "the form of the licence identifier");
  const [, type, ofIssuer, ofSerial, ofVersion, check] = found;
  demand(ofIssuer === issuer && ofSerial === serial && Number(ofVersion) === version, "claims", "another identifier");
  let rest = 36;
  for (const character of type + ofIssuer + ofSerial + ofVersion) {
    rest = (rest + MOD_37.indexOf(character)) % 36 || 36;
    rest = (rest * 2) % 37;
  }
  demand(MOD_37[(37 - rest) % 36] === check, "claims", "the identifier's check character");
}

// The paper and the claims of one certificate say the same.
export function checkSame(qr, claims) {
  demand(qr.digest.equals(claims.digest), "compare", "the QR code is of other claims");
  const isSame = qr.issuer === claims.issuer && qr.serial === claims.serial && qr.slot === claims.slot;
  demand(isSame && qr.code === claims.code, "compare", "QR code and claims differ");
}
