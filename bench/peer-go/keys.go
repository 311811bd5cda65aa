package main

import (
	"crypto"
	"crypto/mlkem"
	"crypto/sha256"
	"crypto/sha3"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/bits"
	"slices"
	"time"
)

type key interface {
	Bytes() []byte // the seed
	Encapsulator() crypto.Encapsulator
}

type algorithm struct {
	last     int // of its object identifier
	rank     int // k of FIPS 203
	generate func() (key, error)
}

var algorithms = map[string]algorithm{
	"ML-KEM-768":  {2, 3, func() (key, error) { return mlkem.GenerateKey768() }},
	"ML-KEM-1024": {3, 4, func() (key, error) { return mlkem.GenerateKey1024() }},
}

// fingerprint is the first 10 hexadecimal digits of the SHA-256.
func fingerprint(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])[:10]
}

// secretData makes a key pair and all entries of its Secret.
func secretData(name string) (map[string][]byte, error) {
	algorithm, known := algorithms[name]
	if !known {
		return nil, fmt.Errorf("no %s in crypto/mlkem", name)
	}
	key, err := algorithm.generate()
	if err != nil {
		return nil, err
	}
	seed, public := key.Bytes(), key.Encapsulator().Bytes()
	privatePEM, publicPEM, err := encode(algorithm, seed, public)
	if err != nil {
		return nil, err
	}
	data := map[string][]byte{
		"public_key": public, "public_key.pem": publicPEM,
		"private_key": expand(seed, public, algorithm.rank), "private_key.pem": privatePEM,
	}
	data["metadata"], err = describe(name, data)
	return data, err
}

// encode writes PKCS#8 in the seed form of RFC 9935, and SubjectPublicKeyInfo.
func encode(of algorithm, seed, public []byte) (privatePEM, publicPEM []byte, err error) {
	id := pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 4, of.last}}
	private, err := asn1.Marshal(struct {
		Version   int
		Algorithm pkix.AlgorithmIdentifier
		Key       []byte
	}{0, id, append([]byte{0x80, byte(len(seed))}, seed...)})
	if err != nil {
		return nil, nil, err
	}
	spki, err := asn1.Marshal(struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}{id, asn1.BitString{Bytes: public, BitLength: len(public) * 8}})
	privatePEM = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})
	return privatePEM, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki}), err
}

// describe makes the metadata entry.
func describe(name string, data map[string][]byte) ([]byte, error) {
	sizes, fingerprints := map[string]int{}, map[string]string{}
	for key, value := range data {
		sizes[key], fingerprints[key] = len(value), fingerprint(value)
	}
	return json.Marshal(struct {
		Algorithm    string            `json:"algorithm"`
		Standard     string            `json:"standard"`
		Sizes        map[string]int    `json:"sizes"`
		Fingerprints map[string]string `json:"fingerprints"`
		Fingerprint  string            `json:"fingerprint"`
		Created      string            `json:"created"`
		Generator    string            `json:"generator"`
	}{
		name, "FIPS 203", sizes, fingerprints, fingerprints["public_key"],
		time.Now().UTC().Format(time.RFC3339), "peer-go/0.1.0",
	})
}

const q = 3329

// expand makes the decapsulation key of FIPS 203 from its seed (algorithms 13 and 16); crypto/mlkem does not give it.
func expand(seed, public []byte, k int) []byte {
	g := sha3.Sum512(append(slices.Clone(seed[:32]), byte(k)))
	var private []byte
	for i := range k {
		noise := sha3.SumSHAKE256(append(slices.Clone(g[32:]), byte(i)), 128)
		private = appendPacked(private, ntt(sample(noise)))
	}
	h := sha3.Sum256(public)
	return slices.Concat(private, public, h[:], seed[32:])
}

// sample is SamplePolyCBD with eta 2 (algorithm 8).
func sample(noise []byte) (f [256]uint32) {
	for i := range f {
		four := uint(noise[i/2]) >> (i % 2 * 4)
		f[i] = uint32(q+bits.OnesCount(four&3)-bits.OnesCount(four&12)) % q
	}
	return f
}

// ntt is algorithm 9.
func ntt(f [256]uint32) [256]uint32 {
	i := uint8(1)
	for length := 128; length >= 2; length /= 2 {
		for start := 0; start < 256; start += 2 * length {
			zeta := zetas[i]
			i++
			for j := start; j < start+length; j++ {
				t := zeta * f[j+length] % q
				f[j], f[j+length] = (f[j]+t)%q, (f[j]+q-t)%q
			}
		}
	}
	return f
}

// zetas are the powers of 17, by the bit-reversed seven bits of the index.
var zetas = func() (zetas [128]uint32) {
	power := uint32(1)
	for i := range uint8(128) {
		zetas[bits.Reverse8(i)>>1] = power
		power = power * 17 % q
	}
	return zetas
}()

// appendPacked is ByteEncode with 12 bits (algorithm 5).
func appendPacked(out []byte, f [256]uint32) []byte {
	for i := 0; i < 256; i += 2 {
		out = append(out, byte(f[i]), byte(f[i]>>8|f[i+1]<<4), byte(f[i+1]>>4))
	}
	return out
}
