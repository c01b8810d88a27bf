package pages

import (
	"net/http"
	"time"

	"libra/pkg/libra"
	"libra/pkg/web/capacity"
	"libra/pkg/web/state"
)

// capacityPage is the document of the capacity page.
type capacityPage struct {
	state.CapacityDoc
	Unknown *unknownNote
}

// GetCapacity serves GET /capacity.
func (s *Pages) GetCapacity(w http.ResponseWriter, r *http.Request) {
	doc := s.state.Capacity()
	s.renderLive(w, r, http.StatusOK, "capacity", layout{Title: "Capacity", Nav: "/status", Poll: agesGrow, Document: capacityPage{doc, noteOf(doc.Freshness)}})
}

// stageLabel is a stage in words.
func stageLabel(name capacity.StageName) string {
	switch name {
	case capacity.Submit:
		return "accept submissions"
	case capacity.Publish:
		return "store messages"
	case capacity.Inspect:
		return "inspect pages"
	case capacity.Record:
		return "record reports"
	case capacity.Notify:
		return "notify people"
	}
	return string(name)
}

// full reports whether a stage has no room for more.
func full(utilisation float64) bool { return utilisation >= capacity.Target }

func showShare(share float64) string { return showDecimal(0, 100*share) + " %" }

func showSize(bytes float64) string { return libra.FormatBytes(int64(bytes)) }

// longest is what showSpan writes in figures, at most.
const longest = 10 * 365 * 24 * time.Hour

// showSpan writes seconds for people.
func showSpan(seconds float64) string {
	if seconds >= longest.Seconds() {
		return "more than 10 years"
	}
	return libra.FormatDuration(time.Duration(seconds * float64(time.Second)))
}

func showDays(days float64) string { return showSpan(days * 24 * 3600) }

// showService writes milliseconds, with their tenths where there are few: many stages
// take less than one.
func showService(ms float64) string {
	if ms < 10 {
		return showDecimal(1, ms) + " ms"
	}
	return libra.FormatDuration(time.Duration(ms * float64(time.Millisecond)))
}

// showRate writes how many there are in a second or, where that is less than one, in a
// minute or an hour.
func showRate(perSecond float64) string {
	if perSecond == 0 {
		return "–"
	}
	if perSecond >= 1 {
		return showDecimal(1, perSecond) + " per s"
	}
	if perMinute := 60 * perSecond; perMinute >= 1 {
		return showDecimal(1, perMinute) + " per min"
	}
	return showDecimal(1, 3600*perSecond) + " per h"
}
