// The Go standard library as a peer; tests/interop/peers.py says what it is asked. Its linter is zlint.
package main

import (
	"bufio"
	"crypto"
	"crypto/mldsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"sort"
	"strings"

	zx509 "github.com/zmap/zcrypto/x509"
	"github.com/zmap/zlint/v3"
	"github.com/zmap/zlint/v3/lint"
)

var errLacks = errors.New("lacks it")

func lacks(what string) error { return fmt.Errorf("%w: %s", errLacks, what) }

func block(text []byte) ([]byte, error) {
	decoded, _ := pem.Decode(text)
	if decoded == nil {
		return nil, errors.New("no PEM block")
	}
	return decoded.Bytes, nil
}

// The SHA-256 of a SubjectPublicKeyInfo, by which public keys are compared.
func name(public crypto.PublicKey) (string, error) {
	spki, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return "", lacks(err.Error())
	}
	digest := sha256.Sum256(spki)
	return hex.EncodeToString(digest[:]), nil
}

func loadPrivate(text []byte) (*mldsa.PrivateKey, error) {
	der, err := block(text)
	if err != nil {
		return nil, err
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		if strings.Contains(err.Error(), "unknown algorithm") {
			return nil, lacks(err.Error())
		}
		return nil, err
	}
	own, ok := key.(*mldsa.PrivateKey)
	if !ok {
		return nil, lacks(fmt.Sprintf("a key of type %T", key))
	}
	return own, nil
}

func loadPublic(text []byte) (*mldsa.PublicKey, error) {
	der, err := block(text)
	if err != nil {
		return nil, err
	}
	key, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		if strings.Contains(err.Error(), "unknown public key algorithm") {
			return nil, lacks(err.Error())
		}
		return nil, err
	}
	own, ok := key.(*mldsa.PublicKey)
	if !ok {
		return nil, lacks(fmt.Sprintf("a key of type %T", key))
	}
	return own, nil
}

func verify(public, message, context, signature []byte) (string, error) {
	key, err := loadPublic(public)
	if err != nil {
		return "", err
	}
	return "", mldsa.Verify(key, message, signature, &mldsa.Options{Context: string(context)})
}

func sign(private, message, context []byte) (string, error) {
	key, err := loadPrivate(private)
	if err != nil {
		return "", err
	}
	signature, err := key.Sign(nil, message, &mldsa.Options{Context: string(context)})
	return string(signature), err
}

func certificates(text []byte) ([]*x509.Certificate, error) {
	var all []*x509.Certificate
	for rest := text; ; {
		var next *pem.Block
		if next, rest = pem.Decode(rest); next == nil {
			return all, nil
		}
		certificate, err := x509.ParseCertificate(next.Bytes)
		if err != nil {
			return nil, err
		}
		all = append(all, certificate)
	}
}

func chain(text, root, host []byte) (string, error) {
	all, err := certificates(text)
	if err != nil {
		return "", err
	}
	roots, intermediates := x509.NewCertPool(), x509.NewCertPool()
	if !roots.AppendCertsFromPEM(root) {
		return "", errors.New("the root was not taken")
	}
	for _, certificate := range all[1:] {
		intermediates.AddCert(certificate)
	}
	_, err = all[0].Verify(x509.VerifyOptions{
		DNSName: string(host), Roots: roots, Intermediates: intermediates,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	var unknown x509.UnknownAuthorityError
	unsupported := all[len(all)-1].SignatureAlgorithm == x509.UnknownSignatureAlgorithm
	if unsupported && (errors.As(err, &unknown) || errors.Is(err, x509.ErrUnsupportedAlgorithm)) {
		return "", lacks("the signature algorithm of " + all[len(all)-1].Subject.String())
	}
	return "", err
}

// The names of all RFC 5280 lints that a certificate does not pass.
func lintOne(text []byte) (string, error) {
	der, err := block(text)
	if err != nil {
		return "", err
	}
	certificate, err := zx509.ParseCertificate(der)
	if err != nil {
		return "", err
	}
	registry, err := lint.GlobalRegistry().Filter(lint.FilterOptions{
		IncludeSources: lint.SourceList{lint.RFC5280, lint.RFC6962},
	})
	if err != nil {
		return "", err
	}
	var failed []string
	for lintName, result := range zlint.LintCertificateEx(certificate, registry).Results {
		if result.Status >= lint.Warn {
			failed = append(failed, lintName)
		}
	}
	sort.Strings(failed)
	if len(failed) > 0 {
		return "", errors.New(strings.Join(failed, " "))
	}
	return "", nil
}

// The subject alternative names, with their types, once each host and address was matched as a client does it.
func names(text []byte) (string, error) {
	all, err := certificates(text)
	if err != nil {
		return "", err
	}
	var found, hosts []string
	for _, name := range all[0].DNSNames {
		found = append(found, "DNS:"+name)
		hosts = append(hosts, strings.Replace(name, "*", "any", 1))
	}
	for _, address := range all[0].IPAddresses {
		found = append(found, "IP:"+address.String())
		hosts = append(hosts, address.String())
	}
	for _, address := range all[0].EmailAddresses {
		found = append(found, "email:"+address)
	}
	for _, uri := range all[0].URIs {
		found = append(found, "URI:"+uri.String())
	}
	for _, host := range hosts {
		if err := all[0].VerifyHostname(host); err != nil {
			return "", err
		}
	}
	return strings.Join(found, "\n"), nil
}

func answer(do string, a [][]byte) (string, error) {
	switch do {
	case "private":
		key, err := loadPrivate(a[0])
		if err != nil {
			return "", err
		}
		return name(key.Public())
	case "public":
		key, err := loadPublic(a[0])
		if err != nil {
			return "", err
		}
		return name(key)
	case "verify":
		return verify(a[0], a[1], a[2], a[3])
	case "sign":
		return sign(a[0], a[1], a[2])
	case "chain":
		return chain(a[0], a[1], a[2])
	case "names":
		return names(a[0])
	case "lint":
		return lintOne(a[0])
	}
	return "", fmt.Errorf("unknown request %q", do)
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		words := strings.Split(lines.Text(), " ")
		var arguments [][]byte
		for _, word := range words[1:] {
			argument, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(word, "="))
			if err != nil {
				panic(err)
			}
			arguments = append(arguments, argument)
		}
		value, err := answer(words[0], arguments)
		verdict := "yes"
		if err != nil {
			verdict, value = "no", err.Error()
			if errors.Is(err, errLacks) {
				verdict = "lacks"
			}
		}
		fmt.Println(verdict, "="+base64.StdEncoding.EncodeToString([]byte(value)))
	}
}
