package api

import (
	"context"
	"net/http"
)

type prefixKey struct{}

// WithPrefix returns r as a request that reached Libra below a path prefix of a
// reverse proxy, such as "/libra"; "" for none. r.URL no longer has it.
func WithPrefix(r *http.Request, prefix string) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), prefixKey{}, prefix))
}

// At is the path by which the client of r reaches path, which begins with a slash.
// Every link, redirect, Location and cookie path of an answer is made by it.
func At(r *http.Request, path string) string {
	prefix, _ := r.Context().Value(prefixKey{}).(string)
	return prefix + path
}
