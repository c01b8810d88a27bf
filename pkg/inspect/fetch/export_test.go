package fetch

// Gunzip is for tests that hold it against the decoder of package gzip.
func Gunzip(body []byte) ([]byte, bool) {
	size := gunzipSize(body)
	if size < 0 || size > 1<<20 {
		return nil, false
	}
	out, err := gunzip(make([]byte, size+slack), body, size)
	return out, err == nil
}
