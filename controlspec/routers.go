package controlspec

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"
)

// CheckRouters asks tor, by ask, whether it knows every relay of a path well enough
// to build through it: El Tor's tor answers 552 to an EXTENDPAIDCIRCUIT with another
// one, and dies of it. The error for such a relay is a [*ReplyError] with those
// words; any other error is ask's.
func CheckRouters(path []string, ask func(cmd string) (Reply, error)) error {
	descriptors := "md/id/"
	switch reply, err := ask("GETCONF UseMicrodescriptors"); {
	case err != nil:
		return err
	case reply.Values()["UseMicrodescriptors"] == "0":
		descriptors = "desc/id/"
	}
	for _, fp := range path {
		router, err := infoOf(ask, "ns/id/"+fp)
		if err != nil {
			return err
		}
		if !isRouter(router, fp) {
			return Errorf(552, "No such router %s", Quote(fp))
		}
		desc, err := infoOf(ask, descriptors+fp)
		if err != nil {
			return err
		}
		if desc == "" {
			return Errorf(552, "No descriptor for %s", Quote(fp))
		}
	}
	return nil
}

// infoOf asks for one value; what tor refuses to tell is empty.
func infoOf(ask func(string) (Reply, error), key string) (string, error) {
	reply, err := ask("GETINFO " + key)
	var no *ReplyError
	if errors.As(err, &no) || err == nil && !reply.OK() {
		return "", nil
	}
	return reply.Values()[key], err
}

// isRouter reports whether a router status is that of a relay (dir-spec, "r" line).
func isRouter(status, fingerprint string) bool {
	for line := range strings.Lines(status) {
		if words := strings.Fields(line); len(words) > 2 && words[0] == "r" {
			id, err := base64.RawStdEncoding.DecodeString(words[2])
			return err == nil && strings.EqualFold(hex.EncodeToString(id), fingerprint)
		}
	}
	return false
}
