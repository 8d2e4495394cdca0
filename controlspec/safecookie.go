package controlspec

import (
	"crypto/hmac"
	"crypto/sha256"
)

// CookieSize is the size in bytes of an authentication cookie, and of the nonces
// that TOPS draws for SAFECOOKIE.
const CookieSize = 32

// SafeCookie computes the two hashes of SAFECOOKIE (control-spec §3.24): server is
// what AUTHCHALLENGE answers, client what AUTHENTICATE must bring. Compare them in
// constant time.
func SafeCookie(cookie, clientNonce, serverNonce []byte) (server, client []byte) {
	sum := func(key string) []byte {
		m := hmac.New(sha256.New, []byte(key))
		for _, b := range [][]byte{cookie, clientNonce, serverNonce} {
			m.Write(b)
		}
		return m.Sum(nil)
	}
	return sum("Tor safe cookie authentication server-to-controller hash"),
		sum("Tor safe cookie authentication controller-to-server hash")
}
