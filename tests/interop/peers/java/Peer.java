import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.StringReader;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.Security;
import java.security.Signature;
import java.security.cert.CertPathValidator;
import java.security.cert.CertificateFactory;
import java.security.cert.PKIXParameters;
import java.security.cert.TrustAnchor;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import java.util.Set;
import org.bouncycastle.asn1.pkcs.PrivateKeyInfo;
import org.bouncycastle.asn1.x509.SubjectPublicKeyInfo;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.jcajce.interfaces.MLDSAPrivateKey;
import org.bouncycastle.jcajce.interfaces.MLKEMPrivateKey;
import org.bouncycastle.jcajce.interfaces.SLHDSAPrivateKey;
import org.bouncycastle.jcajce.spec.ContextParameterSpec;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.bouncycastle.openssl.PEMParser;
import org.bouncycastle.openssl.jcajce.JcaPEMKeyConverter;

/** Bouncy Castle as a peer; tests/interop/peers.py says what it is asked. */
public final class Peer {
    private static final JcaPEMKeyConverter KEYS = new JcaPEMKeyConverter().setProvider("BC");

    private static Object read(byte[] pem) throws Exception {
        try (PEMParser parser = new PEMParser(new StringReader(new String(pem, StandardCharsets.US_ASCII)))) {
            return parser.readObject();
        }
    }

    private static PrivateKey loadPrivate(byte[] pem) throws Exception {
        return KEYS.getPrivateKey((PrivateKeyInfo) read(pem));
    }

    private static PublicKey loadPublic(byte[] pem) throws Exception {
        return KEYS.getPublicKey((SubjectPublicKeyInfo) read(pem));
    }

    private static PublicKey publicOf(PrivateKey key) throws Exception {
        if (key instanceof MLDSAPrivateKey own) {
            return own.getPublicKey();
        }
        if (key instanceof SLHDSAPrivateKey own) {
            return own.getPublicKey();
        }
        return ((MLKEMPrivateKey) key).getPublicKey();
    }

    /** The SHA-256 of a SubjectPublicKeyInfo, by which public keys are compared. */
    private static byte[] name(PublicKey key) throws Exception {
        byte[] digest = MessageDigest.getInstance("SHA-256").digest(key.getEncoded());
        return HexFormat.of().formatHex(digest).getBytes(StandardCharsets.US_ASCII);
    }

    private static Signature signature(java.security.Key key, byte[] context) throws Exception {
        Signature signature = Signature.getInstance(key.getAlgorithm(), "BC");
        if (key instanceof PrivateKey own) {
            signature.initSign(own);
        } else {
            signature.initVerify((PublicKey) key);
        }
        if (context.length > 0) {
            signature.setParameter(new ContextParameterSpec(context));
        }
        return signature;
    }

    private static byte[] sign(byte[] key, byte[] message, byte[] context) throws Exception {
        Signature signature = signature(loadPrivate(key), context);
        signature.update(message);
        return signature.sign();
    }

    private static byte[] verify(byte[] key, byte[] message, byte[] context, byte[] given) throws Exception {
        Signature signature = signature(loadPublic(key), context);
        signature.update(message);
        if (!signature.verify(given)) {
            throw new IllegalArgumentException("the signature does not verify");
        }
        return new byte[0];
    }

    private static List<X509Certificate> certificates(byte[] pem) throws Exception {
        CertificateFactory factory = CertificateFactory.getInstance("X.509", "BC");
        List<X509Certificate> all = new ArrayList<>();
        try (PEMParser parser = new PEMParser(new StringReader(new String(pem, StandardCharsets.US_ASCII)))) {
            for (Object next; (next = parser.readObject()) != null; ) {
                byte[] der = ((X509CertificateHolder) next).getEncoded();
                all.add((X509Certificate) factory.generateCertificate(new java.io.ByteArrayInputStream(der)));
            }
        }
        return all;
    }

    private static byte[] chain(byte[] chain, byte[] root) throws Exception {
        TrustAnchor anchor = new TrustAnchor(certificates(root).get(0), null);
        PKIXParameters parameters = new PKIXParameters(Set.of(anchor));
        parameters.setRevocationEnabled(false);
        CertificateFactory factory = CertificateFactory.getInstance("X.509", "BC");
        CertPathValidator.getInstance("PKIX", "BC")
                .validate(factory.generateCertPath(certificates(chain)), parameters);
        return new byte[0];
    }

    private static byte[] answer(String request, List<byte[]> a) throws Exception {
        return switch (request) {
            case "private" -> name(publicOf(loadPrivate(a.get(0))));
            case "public" -> name(loadPublic(a.get(0)));
            case "sign" -> sign(a.get(0), a.get(1), a.get(2));
            case "verify" -> verify(a.get(0), a.get(1), a.get(2), a.get(3));
            case "chain" -> chain(a.get(0), a.get(1));
            default -> throw new IllegalArgumentException("unknown request " + request);
        };
    }

    private static String reply(String verdict, byte[] value) {
        return verdict + " =" + Base64.getEncoder().encodeToString(value);
    }

    public static void main(String[] arguments) throws Exception {
        Security.addProvider(new BouncyCastleProvider());
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
        for (String line; (line = lines.readLine()) != null; ) {
            String[] words = line.split(" ");
            List<byte[]> values = new ArrayList<>();
            for (int i = 1; i < words.length; i++) {
                values.add(Base64.getDecoder().decode(words[i].substring(1)));
            }
            try {
                System.out.println(reply("yes", answer(words[0], values)));
            } catch (NoSuchAlgorithmException failure) {
                System.out.println(reply("lacks", String.valueOf(failure).getBytes(StandardCharsets.UTF_8)));
            } catch (Exception failure) {
                System.out.println(reply("no", String.valueOf(failure).getBytes(StandardCharsets.UTF_8)));
            }
        }
    }
}
