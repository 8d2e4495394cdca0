package testnet

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// writeIdentity makes a node's RSA identity key before tor would, so that
// everybody's configuration can name it, and returns its fingerprint: the
// SHA-1 of the public key in PKCS #1 (tor-spec, "Relay keys").
func writeIdentity(keys string) (fingerprint string, err error) {
	key, err := rsa.GenerateKey(rand.Reader, 1024) // the size that the protocol fixes
	if err != nil {
		return "", fmt.Errorf("identity key: %w", err)
	}
	block := &pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}
	if err := os.WriteFile(filepath.Join(keys, "secret_id_key"), pem.EncodeToMemory(block), 0o600); err != nil {
		return "", fmt.Errorf("identity key: %w", err)
	}
	sum := sha1.Sum(x509.MarshalPKCS1PublicKey(&key.PublicKey))
	return fmt.Sprintf("%X", sum), nil
}

// writeAuthorityKeys makes what the authority signs votes with, by tor-gencert,
// which comes with tor, and returns the v3 identity that everybody must name.
func writeAuthorityKeys(ctx context.Context, keys string) (v3Ident string, err error) {
	passphrase, w, err := os.Pipe()
	if err != nil {
		return "", fmt.Errorf("authority keys: %w", err)
	}
	defer passphrase.Close()
	if _, err := w.WriteString("none\n"); err != nil {
		return "", fmt.Errorf("authority keys: %w", err)
	}
	w.Close()
	certificate := filepath.Join(keys, "authority_certificate")
	cmd := exec.CommandContext(ctx, "tor-gencert", "--create-identity-key", "-m", "12", "--passphrase-fd", "3",
		"-i", filepath.Join(keys, "authority_identity_key"),
		"-s", filepath.Join(keys, "authority_signing_key"), "-c", certificate)
	cmd.ExtraFiles = []*os.File{passphrase} // the child's descriptor 3
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("authority keys: tor-gencert: %w\n%s", err, bytes.TrimSpace(out))
	}
	text, err := os.ReadFile(certificate)
	if err != nil {
		return "", fmt.Errorf("authority keys: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		if ident, ok := strings.CutPrefix(line, "fingerprint "); ok {
			return strings.TrimSpace(ident), nil
		}
	}
	return "", fmt.Errorf("authority keys: no fingerprint in %s", certificate)
}
