package proxy

// word is a command that a rule may concern.
type word int

const (
	wordNone word = iota
	wordAuthenticate
	wordProtocolInfo
	wordSetPurpose
	wordQuit
	wordHSPost
	wordLoadConf
	wordExtendPaid
	wordSetEvents
	wordUseFeature
	wordGetInfo
	wordGetConf
	wordSetConf
	wordResetConf
	wordAttach
	wordExtend
)

// wordOf reads the command's name without allocating, and ends it where tor does
// and controlspec.ParseCommand: other control characters belong to the name, so
// "QUIT\x01" is no QUIT.
func wordOf(raw []byte) word {
	var up [24]byte
	n := 0
	for n < len(raw) && !isBlank(raw[n]) {
		if n == len(up) {
			return wordNone
		}
		c := raw[n]
		if 'a' <= c && c <= 'z' {
			c -= 'a' - 'A'
		}
		up[n] = c
		n++
	}
	switch string(up[:n]) {
	case "AUTHENTICATE":
		return wordAuthenticate
	case "SETCIRCUITPURPOSE":
		return wordSetPurpose
	case "PROTOCOLINFO":
		return wordProtocolInfo
	case "QUIT":
		return wordQuit
	case "+HSPOST":
		return wordHSPost
	case "+LOADCONF":
		return wordLoadConf
	case "EXTENDPAIDCIRCUIT", "+EXTENDPAIDCIRCUIT":
		return wordExtendPaid
	case "SETEVENTS":
		return wordSetEvents
	case "USEFEATURE":
		return wordUseFeature
	case "GETINFO":
		return wordGetInfo
	case "GETCONF":
		return wordGetConf
	case "SETCONF":
		return wordSetConf
	case "RESETCONF":
		return wordResetConf
	case "ATTACHSTREAM":
		return wordAttach
	case "EXTENDCIRCUIT":
		return wordExtend
	}
	return wordNone
}

func isBlank(c byte) bool { return c == ' ' || '\t' <= c && c <= '\r' }
