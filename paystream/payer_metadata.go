package paystream

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
)

// metadata is the payer_metadata of an attempt to pay: HMAC-SHA-256 over id (32
// bytes), amount (8) and attempt (4), so that the same request yields the same
// invoice, and no relay can link two.
func (p *Payer) metadata(note RoundID, amountMsat int64, attempt int) string {
	mac := hmac.New(sha256.New, p.secret[:])
	id, _ := hex.DecodeString(string(note))
	mac.Write(id)
	mac.Write(binary.BigEndian.AppendUint64(nil, uint64(amountMsat)))
	mac.Write(binary.BigEndian.AppendUint32(nil, uint32(attempt)))
	return hex.EncodeToString(mac.Sum(nil))
}
