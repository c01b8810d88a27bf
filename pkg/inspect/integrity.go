package inspect

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"strings"
)

// intact checks a body against an integrity attribute: of the strongest hash
// that it names, one value must match. What names no known hash passes.
func intact(integrity string, body []byte) bool {
	strongest, ok := "", true
	for _, item := range strings.Fields(integrity) {
		name, value, _ := strings.Cut(item, "-")
		value, _, _ = strings.Cut(value, "?")
		if name != "sha256" && name != "sha384" && name != "sha512" || name < strongest {
			continue
		}
		if name > strongest {
			strongest, ok = name, false
		}
		ok = ok || value == digest(name, body)
	}
	return ok
}

func digest(name string, body []byte) string {
	var sum []byte
	switch name {
	case "sha256":
		s := sha256.Sum256(body)
		sum = s[:]
	case "sha384":
		s := sha512.Sum384(body)
		sum = s[:]
	default:
		s := sha512.Sum512(body)
		sum = s[:]
	}
	return base64.StdEncoding.EncodeToString(sum)
}
