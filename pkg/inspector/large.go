package inspector

import (
	"fmt"

	"libra/pkg/libra"
)

// shorten makes a report smaller that the bus never takes: without its list, and the next
// time without anything but the reason. The engine bounds reports, but a bus may be set to
// take less. It returns false where there is no more to leave out.
func (w *worker) shorten() bool {
	r := *w.report
	why := libra.Reason{
		Code: libra.CodeLimit, Text: "the report is larger than the bus takes: limit max_payload",
		Remedy: "ask the operator of Libra to raise max_payload of the bus",
	}
	var own []libra.Asset
	for _, a := range r.Assets {
		if a.OfPage() {
			own = append(own, a)
		}
	}
	switch {
	case len(own) < len(r.Assets):
		why.Text = fmt.Sprintf("the list of %d URLs was left out: %s", len(r.Assets)-len(own), why.Text)
		if r.Assets = own; r.Outcome != libra.Error {
			r.Outcome = libra.Partial
		}
		r.ReasonList = libra.ReasonList{Reasons: append([]string{}, r.Reasons...), Details: append([]libra.Reason{}, r.Details...)}
	case !w.minimal:
		w.minimal = true
		r = *failed(w.job.Request.URL)
	default:
		return false
	}
	r.AddReason(why)
	w.report = &r
	return true
}
