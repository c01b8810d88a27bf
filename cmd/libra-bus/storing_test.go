package main

import (
	"testing"
	"time"
)

// The status of the bus says that it does not store everything, and since when, until
// it does again.
func TestStoppedStreamIsSaid(t *testing.T) {
	why, said := "", ""
	s := &storing{serving: "serving"}
	look := func(at time.Time) { s.look(why, func(status string) { said = status }, at) }
	began := time.Unix(1_800_000_000, 0)
	look(began)
	if said != "" || !s.since.IsZero() {
		t.Errorf("a healthy bus said %q, since %v", said, s.since)
	}
	why = "stream WATCHES: no space left on device" // at some time in the second before
	look(began.Add(time.Second))
	look(began.Add(time.Second * 2))
	if said != "not everything is stored: "+why || !s.since.Equal(began) {
		t.Errorf("it said %q, since %v", said, s.since)
	}
	why = ""
	look(began.Add(3 * time.Second))
	if said != "serving" || !s.since.IsZero() {
		t.Errorf("at the end it said %q, since %v", said, s.since)
	}
}
