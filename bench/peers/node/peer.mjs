// pdf-lib and @signpdf, as their documentation says; answers as bench/peers/stacks/__main__.py does.
//
//     node peer.mjs FOLDER KEYS

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import fontkit from "@pdf-lib/fontkit";
import { pdflibAddPlaceholder } from "@signpdf/placeholder-pdf-lib";
import { P12Signer } from "@signpdf/signer-p12";
import { SignPdf } from "@signpdf/signpdf";
import { PDFDocument, rgb } from "pdf-lib";
import QRCode from "qrcode";

const [folder, keys] = process.argv.slice(2);
const scene = JSON.parse(readFileSync(join(folder, "scene.json"), "utf-8"));
const fonts = Object.entries(scene.fonts).map(([name, path]) => [name, readFileSync(path)]);
const p12 = readFileSync(join(keys, "key.p12"));

const colour = (hex) => rgb(...[1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16) / 255));

async function certificate(job) {
  const pdf = await PDFDocument.create();
  pdf.registerFontkit(fontkit);
  const embedded = {};
  for (const [name, content] of fonts) embedded[name] = await pdf.embedFont(content, { subset: true });
  const page = pdf.addPage(scene.page);
  for (const [x, y, width, height] of scene.frames) {
    page.drawRectangle({ x, y, width, height, borderColor: colour("#A81A1A"), borderWidth: 1 });
  }
  for (const [x, y, width] of scene.rules) {
    page.drawLine({ start: { x, y }, end: { x: x + width, y }, thickness: 0.35, color: colour("#C9B899") });
  }
  for (const one of job.lines) {
    page.drawText(one.text, { x: one.x, y: one.y, size: one.size, font: embedded[one.font], color: colour(one.colour) });
  }
  const pictures = {
    photo: await pdf.embedJpg(readFileSync(join(folder, job.photo))),
    qr: await pdf.embedPng(
      await QRCode.toBuffer(job.qr, { version: scene.qr_version, errorCorrectionLevel: "M", margin: 4 }),
    ),
  };
  for (const [name, picture] of Object.entries(pictures)) {
    const [x, y, width, height] = scene[name];
    page.drawImage(picture, { x, y, width, height });
  }
  pdflibAddPlaceholder({ pdfDoc: pdf, reason: "issue", contactInfo: "-", name: "issuer", location: "CN" });
  // A P12Signer signs once: it uses up the buffer that it reads the key from.
  const signer = new P12Signer(p12, { passphrase: "bench" });
  return new SignPdf().sign(Buffer.from(await pdf.save({ useObjectStreams: false })), signer);
}

for await (const line of createInterface({ input: process.stdin })) {
  const asked = JSON.parse(line);
  let made = Buffer.alloc(0);
  const wall = process.hrtime.bigint();
  const before = process.cpuUsage();
  for (let number = asked.first; number < asked.first + asked.count; number += 1) {
    made = await certificate(scene.jobs[number % scene.jobs.length]);
  }
  const cpu = process.cpuUsage(before);
  const spent = Number(process.hrtime.bigint() - wall) / 1e9;
  if (asked.keep) writeFileSync(asked.keep, made);
  console.log(JSON.stringify({ wall: spent, cpu: (cpu.user + cpu.system) / 1e6, bytes: made.length }));
}
