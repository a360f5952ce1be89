// PDFBox with BouncyCastle and ZXing on the JDK; answers as bench/peers/stacks/__main__.py does.
//
//     java Peer whole|sign FOLDER KEYS
//
// "whole" makes the page and signs it; "sign" signs a page that was made before, again and again.
// The scene comes as lines of tabs (scene.tsv), so that no JSON library is needed.

import java.awt.image.BufferedImage;
import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.ArrayList;
import java.util.Calendar;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

import com.google.zxing.BarcodeFormat;
import com.google.zxing.EncodeHintType;
import com.google.zxing.common.BitMatrix;
import com.google.zxing.qrcode.QRCodeWriter;
import com.google.zxing.qrcode.decoder.ErrorCorrectionLevel;
import org.apache.pdfbox.pdmodel.PDDocument;
import org.apache.pdfbox.pdmodel.PDPage;
import org.apache.pdfbox.pdmodel.PDPageContentStream;
import org.apache.pdfbox.pdmodel.common.PDRectangle;
import org.apache.pdfbox.pdmodel.font.PDType0Font;
import org.apache.pdfbox.pdmodel.graphics.image.JPEGFactory;
import org.apache.pdfbox.pdmodel.graphics.image.LosslessFactory;
import org.apache.pdfbox.pdmodel.graphics.image.PDImageXObject;
import org.apache.pdfbox.pdmodel.interactive.digitalsignature.PDSignature;
import org.apache.pdfbox.pdmodel.interactive.digitalsignature.SignatureInterface;
import org.apache.fontbox.ttf.TTFParser;
import org.apache.fontbox.ttf.TrueTypeFont;
import org.bouncycastle.cert.jcajce.JcaCertStore;
import org.bouncycastle.cms.CMSProcessableByteArray;
import org.bouncycastle.cms.CMSSignedDataGenerator;
import org.bouncycastle.cms.jcajce.JcaSignerInfoGeneratorBuilder;
import org.bouncycastle.operator.ContentSigner;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;
import org.bouncycastle.operator.jcajce.JcaDigestCalculatorProviderBuilder;

public final class Peer {
    private record Line(float x, float y, float size, String font, int colour, String text) {}

    private record Job(String photo, String qr, List<Line> lines) {}

    private final Path folder;
    private float[] page;
    private float[] photo;
    private float[] qr;
    private int version;
    private final List<float[]> frames = new ArrayList<>();
    private final List<float[]> rules = new ArrayList<>();
    private final Map<String, TrueTypeFont> fonts = new HashMap<>();
    private final List<Job> jobs = new ArrayList<>();
    private final List<X509Certificate> certificates = new ArrayList<>();
    private final PrivateKey key;
    private final boolean isRsa;

    private Peer(Path folder, Path keys) throws Exception {
        this.folder = folder;
        for (String line : Files.readAllLines(folder.resolve("scene.tsv"), StandardCharsets.UTF_8)) {
            String[] cells = line.split("\t", -1);
            switch (cells[0]) {
                case "page" -> page = floats(cells);
                case "photo" -> photo = floats(cells);
                case "qr" -> {
                    qr = floats(cells);
                    version = Integer.parseInt(cells[5]);
                }
                case "frame" -> frames.add(floats(cells));
                case "rule" -> rules.add(floats(cells));
                // Parsed once: PDFBox lets documents share a parsed font.
                case "font" -> fonts.put(cells[1], new TTFParser(false, true).parse(new File(cells[2])));
                case "job" -> jobs.add(new Job(cells[1], cells[2], new ArrayList<>()));
                case "line" -> jobs.get(jobs.size() - 1).lines().add(new Line(
                    Float.parseFloat(cells[1]), Float.parseFloat(cells[2]), Float.parseFloat(cells[3]), cells[4],
                    Integer.parseInt(cells[5].substring(1), 16), cells[6]));
                default -> throw new IOException(line);
            }
        }
        CertificateFactory factory = CertificateFactory.getInstance("X.509");
        for (String name : new String[] {"cert.pem", "ca.pem"}) {
            try (InputStream in = Files.newInputStream(keys.resolve(name))) {
                certificates.add((X509Certificate) factory.generateCertificate(in));
            }
        }
        isRsa = certificates.get(0).getPublicKey().getAlgorithm().equals("RSA");
        PKCS8EncodedKeySpec spec = new PKCS8EncodedKeySpec(Files.readAllBytes(keys.resolve("key.der")));
        key = KeyFactory.getInstance(isRsa ? "RSA" : "EC").generatePrivate(spec);
    }

    private static float[] floats(String[] cells) {
        float[] values = new float[Math.min(cells.length - 1, 4)];
        for (int at = 0; at < values.length; at++) {
            values[at] = Float.parseFloat(cells[at + 1]);
        }
        return values;
    }

    private byte[] sign(InputStream content) throws IOException {
        try {
            ContentSigner signer =
                new JcaContentSignerBuilder(isRsa ? "SHA256withRSA" : "SHA256withECDSA").build(key);
            CMSSignedDataGenerator generator = new CMSSignedDataGenerator();
            generator.addSignerInfoGenerator(
                new JcaSignerInfoGeneratorBuilder(new JcaDigestCalculatorProviderBuilder().build())
                    .build(signer, certificates.get(0)));
            generator.addCertificates(new JcaCertStore(certificates));
            return generator.generate(new CMSProcessableByteArray(content.readAllBytes()), false).getEncoded();
        } catch (Exception error) {
            throw new IOException(error);
        }
    }

    private byte[] unsigned(Job job) throws Exception {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        try (PDDocument document = new PDDocument()) {
            PDPage sheet = new PDPage(new PDRectangle(page[0], page[1]));
            document.addPage(sheet);
            Map<String, PDType0Font> embedded = new HashMap<>();
            for (Map.Entry<String, TrueTypeFont> one : fonts.entrySet()) {
                embedded.put(one.getKey(), PDType0Font.load(document, one.getValue(), true));
            }
            PDImageXObject portrait =
                JPEGFactory.createFromByteArray(document, Files.readAllBytes(folder.resolve(job.photo())));
            PDImageXObject symbol = LosslessFactory.createFromImage(document, symbol(job.qr()));
            try (PDPageContentStream content = new PDPageContentStream(document, sheet)) {
                content.setStrokingColor(0xA8 / 255f, 0x1A / 255f, 0x1A / 255f);
                for (float[] one : frames) {
                    content.addRect(one[0], one[1], one[2], one[3]);
                    content.stroke();
                }
                content.setLineWidth(0.35f);
                for (float[] one : rules) {
                    content.moveTo(one[0], one[1]);
                    content.lineTo(one[0] + one[2], one[1]);
                    content.stroke();
                }
                for (Line one : job.lines()) {
                    content.beginText();
                    content.setFont(embedded.get(one.font()), one.size());
                    content.setNonStrokingColor(
                        (one.colour() >> 16) / 255f, (one.colour() >> 8 & 255) / 255f, (one.colour() & 255) / 255f);
                    content.newLineAtOffset(one.x(), one.y());
                    content.showText(one.text());
                    content.endText();
                }
                content.drawImage(portrait, photo[0], photo[1], photo[2], photo[3]);
                content.drawImage(symbol, qr[0], qr[1], qr[2], qr[3]);
            }
            document.save(out);
        }
        return out.toByteArray();
    }

    private byte[] signed(byte[] content) throws IOException {
        // A signature is appended to a document that was saved, as in PDFBox's own examples.
        try (PDDocument document = PDDocument.load(content)) {
            PDSignature signature = new PDSignature();
            signature.setFilter(PDSignature.FILTER_ADOBE_PPKLITE);
            signature.setSubFilter(PDSignature.SUBFILTER_ADBE_PKCS7_DETACHED);
            signature.setSignDate(Calendar.getInstance());
            document.addSignature(signature, (SignatureInterface) this::sign);
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            document.saveIncremental(out);
            return out.toByteArray();
        }
    }

    private BufferedImage symbol(String text) throws Exception {
        Map<EncodeHintType, Object> hints =
            Map.of(EncodeHintType.ERROR_CORRECTION, ErrorCorrectionLevel.M, EncodeHintType.MARGIN, 4);
        BitMatrix matrix = new QRCodeWriter().encode(text, BarcodeFormat.QR_CODE, 0, 0, hints);
        BufferedImage image =
            new BufferedImage(matrix.getWidth(), matrix.getHeight(), BufferedImage.TYPE_BYTE_BINARY);
        for (int y = 0; y < matrix.getHeight(); y++) {
            for (int x = 0; x < matrix.getWidth(); x++) {
                image.setRGB(x, y, matrix.get(x, y) ? 0x000000 : 0xFFFFFF);
            }
        }
        return image;
    }

    private static int number(String line, String name) {
        Matcher found = Pattern.compile("\"" + name + "\": *(\\d+)").matcher(line);
        found.find();
        return Integer.parseInt(found.group(1));
    }

    public static void main(String[] arguments) throws Exception {
        boolean isWhole = arguments[0].equals("whole");
        Peer peer = new Peer(Path.of(arguments[1]), Path.of(arguments[2]));
        var process = (com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
        Pattern keep = Pattern.compile("\"keep\": *\"([^\"]+)\"");
        byte[] ready = null;
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            int first = number(line, "first");
            int count = number(line, "count");
            if (!isWhole && ready == null) {
                ready = peer.unsigned(peer.jobs.get(0));
            }
            byte[] made = new byte[0];
            long wall = System.nanoTime();
            long cpu = process.getProcessCpuTime();
            for (int number = first; number < first + count; number++) {
                made = peer.signed(isWhole ? peer.unsigned(peer.jobs.get(number % peer.jobs.size())) : ready);
            }
            double cpuSeconds = (process.getProcessCpuTime() - cpu) / 1e9;
            double seconds = (System.nanoTime() - wall) / 1e9;
            Matcher path = keep.matcher(line);
            if (path.find()) {
                Files.write(Path.of(path.group(1)), made);
            }
            System.out.printf("{\"wall\": %f, \"cpu\": %f, \"bytes\": %d}%n", seconds, cpuSeconds, made.length);
            System.out.flush();
        }
    }
}
