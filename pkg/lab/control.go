package lab

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"libra/pkg/labapi"
)

// controls answers at the control socket; see package labapi.
func (l *Lab) controls() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+labapi.Path, func(w http.ResponseWriter, r *http.Request) { l.answer(w, nil) })
	mux.HandleFunc("POST "+labapi.Path+"/dial", func(w http.ResponseWriter, r *http.Request) {
		var d labapi.Dial
		err := decode(w, r, &d)
		if err == nil {
			err = l.SetRate(d.Value)
		}
		l.answer(w, err)
	})
	mux.HandleFunc("POST "+labapi.Path+"/inspectors", func(w http.ResponseWriter, r *http.Request) {
		var d labapi.Dial
		err := decode(w, r, &d)
		if err == nil {
			err = l.SetInspectors(context.WithoutCancel(r.Context()), d.Value)
		}
		l.answer(w, err)
	})
	mux.HandleFunc("POST "+labapi.Path+"/reset", func(w http.ResponseWriter, r *http.Request) {
		l.answer(w, l.Reset(context.WithoutCancel(r.Context())))
	})
	mux.HandleFunc("POST "+labapi.Path+"/do", func(w http.ResponseWriter, r *http.Request) {
		var d labapi.Do
		err := decode(w, r, &d)
		if err != nil {
			l.answer(w, err)
			return
		}
		action, err := l.actions.begin(d.Action, d.Unit)
		if err != nil {
			l.answer(w, err)
			return
		}
		write(w, http.StatusAccepted, action)
	})
	return mux
}

// decode reads a request, whose fields are all known.
func decode(w http.ResponseWriter, r *http.Request, into any) error {
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, labapi.MostBody))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return &labapi.Refusal{Status: http.StatusBadRequest, Text: "invalid request: " + err.Error(), Remedy: `send JSON such as {"value": 20}, or {"action": "kill", "unit": "libra-web"}`}
	}
	return nil
}

// answer answers with the state, or with why something was refused or failed.
func (l *Lab) answer(w http.ResponseWriter, err error) {
	if err == nil {
		write(w, http.StatusOK, l.State())
		return
	}
	var r *labapi.Refusal
	if !errors.As(err, &r) {
		l.log.Error("request of the lab failed", "err", err)
		r = &labapi.Refusal{Status: http.StatusInternalServerError, Text: err.Error(), Remedy: "see journalctl -u libra-lab"}
	}
	write(w, r.Status, r)
}

func write(w http.ResponseWriter, code int, v any) {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err) // our own documents, of plain data
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	w.Write(append(data, '\n'))
}
