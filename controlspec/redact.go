package controlspec

import (
	"regexp"
	"strings"
)

const redacted = "[redacted]"

// secretCommands have nothing but secrets, or secrets and noise, for arguments.
var secretCommands = map[string]bool{
	"AUTHENTICATE": true, "AUTHCHALLENGE": true, "ADD_ONION": true, "DEL_ONION": true, "HSPOST": true,
	"ONION_CLIENT_AUTH_ADD": true, "ONION_CLIENT_AUTH_REMOVE": true, "ONION_CLIENT_AUTH_VIEW": true,
	"EXTENDPAIDCIRCUIT": true, "LOADCONF": true,
}

// secretKeys are keywords and options whose values are secret, in either direction.
var secretKeys = regexp.MustCompile(`(?i)\b(PrivateKey|HashedControlPassword|__HashedControlSessionPassword|ClientAuth|ClientAuthV3|` +
	`SERVERHASH|SERVERNONCE|SOCKS_PASSWORD|SOCKS_USERNAME|PAYMENT_HASH|` +
	`Socks5ProxyPassword|HTTPSProxyAuthenticator|HTTPProxyAuthenticator)(=| )("(?:[^"\\]|\\.)*"?|\S+)`)

// walletConfig is El Tor's option for a wallet, whose value is many words, all but
// the first few secret.
var walletConfig = regexp.MustCompile(`(?i)\b(PaymentLightningNodeConfig)(=| ).*`)

// longHex is what a cookie, nonce, hash, preimage or round id looks like; a
// relay's fingerprint, 40 digits, stays.
var longHex = regexp.MustCompile(`[0-9A-Fa-f]{41,}`)

// Redact makes one line of either direction fit for a log: secrets become
// "[redacted]", control characters blanks. Content of data blocks must not be
// given to it, and not be logged.
func Redact(line string) string {
	line = strings.TrimRight(line, "\r\n")
	name, args, _ := strings.Cut(line, " ")
	if secretCommands[strings.ToUpper(strings.TrimPrefix(name, "+"))] {
		if args == "" {
			return name
		}
		return name + " " + redacted
	}
	line = walletConfig.ReplaceAllString(line, "${1}${2}"+redacted)
	line = secretKeys.ReplaceAllString(line, "${1}${2}"+redacted)
	line = longHex.ReplaceAllString(line, redacted)
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, line)
}
