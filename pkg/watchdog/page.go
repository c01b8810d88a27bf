package watchdog

import (
	"cmp"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"libra/pkg/event"
	"libra/pkg/libra"
	"libra/pkg/rules"
)

// pagePrefix begins the ids of the alarms of watched pages; the page's id ends
// them.
const pagePrefix = "page."

// pageKind is one thing that can be wrong with a watched page.
type pageKind string

const (
	pageDown        pageKind = "down"
	pageBudget      pageKind = "budget"
	pageMissed      pageKind = "missed"
	pageCertificate pageKind = "certificate"
)

func pageKinds() []pageKind {
	return []pageKind{pageDown, pageBudget, pageMissed, pageCertificate}
}

// pageProbe has no check: reports, and their absence, are its readings.
func pageProbe(kind pageKind, page, address string) *probe {
	host := hostname(address)
	p := &probe{
		streak: ofPage,
		alarm: libra.Alarm{
			ID: pagePrefix + string(kind) + "." + page, Scope: libra.ScopePage, Target: address, Page: page,
			Group: string(kind) + ":" + host, Severity: libra.Minor, Runbook: "#page-" + string(kind),
		},
	}
	switch kind {
	case pageDown:
		p.alarm.Severity, p.alarm.Group = libra.Major, "host:"+host
		p.alarm.Summary, p.recovered = "The page is down", "The page is up again"
	case pageBudget:
		p.alarm.Summary, p.recovered = "The page is over its budget", "The page is within its budget again"
	case pageMissed:
		p.streak, p.alarm.Group = ofComponent, "schedules"
		p.alarm.Summary, p.recovered = "The page is not inspected on schedule", "The page is inspected on schedule again"
	case pageCertificate:
		p.streak = once
		p.alarm.Summary, p.recovered = "The certificate expires soon", "The certificate is valid for long enough again"
	}
	return p
}

// pageOf splits the id of an alarm of a watched page.
func pageOf(alarm string) (kind pageKind, page string, ok bool) {
	rest, ok := strings.CutPrefix(alarm, pagePrefix)
	k, page, found := strings.Cut(rest, ".")
	return pageKind(k), page, ok && found
}

func hostname(address string) string {
	host, _ := libra.URLParts(address)
	if i := strings.LastIndexByte(host, ':'); i >= 0 && host[len(host)-1] != ']' {
		host = host[:i]
	}
	return strings.Trim(host, "[]")
}

// readDown judges whether the page was had; ours means that a failure is the fault
// of this machine or its network. A status such as HTTP 500 is evidence without a
// remedy: the page's owner knows what it means.
func (p *probe) readDown(r event.Reported, ours bool) Reading {
	switch report := r.Report; {
	case r.Quarantined:
		return Reading{Evidence: "in quarantine, which has an alarm of its own"}
	case report.HasReason(libra.CodeHostBusy, libra.CodeHostHeld, libra.CodeEnded):
		return Reading{Evidence: sentences(report.Why()[:1], libra.Reason.String)} // the page was not asked for, or not to its end, which is no fault of its own
	case report.Outcome == libra.Error:
		say := libra.Reason.String
		if report.Status != 0 && report.Status/100 != 2 {
			say = func(r libra.Reason) string { return r.Text }
		}
		text := sentences(report.Why(), say)
		if ours {
			return Reading{Evidence: text}
		}
		reading := p.fail("%s", text)
		reading.Details = report.Details
		return reading
	}
	return Reading{Verdict: Pass}
}

// sentences are the reasons of a report as the evidence of an alarm.
func sentences(why []libra.Reason, say func(libra.Reason) string) string {
	var list []string
	for _, r := range why {
		list = append(list, say(r))
	}
	return cmp.Or(strings.Join(list, "; "), "the page could not be fetched")
}

// readBudget judges whether the page is within its budget. A page that is over
// although something was cut short is over; one that is not may be.
func (p *probe) readBudget(r event.Reported, ours bool, was weight) Reading {
	switch report := r.Report; {
	case r.Quarantined, r.Budget == nil, report.Outcome == libra.Error:
		return Reading{Evidence: "not checked against its budget"}
	case len(r.Budget.Over) > 0:
		return p.fail("%s", strings.Join(r.Budget.Over, "; ")+growthText(report, r.Budget.OverLines, was))
	case ours:
		return Reading{Evidence: "cut short through no fault of the page's"}
	}
	return Reading{Verdict: Pass}
}

// readCertificate judges how long the certificate is still valid.
func (p *probe) readCertificate(until, now time.Time, limits rules.Days) Reading {
	if until.IsZero() {
		return Reading{Evidence: "no certificate was seen"}
	}
	left := until.Sub(now)
	for _, l := range []struct {
		severity libra.Severity
		days     int
	}{{libra.Critical, limits.Critical}, {libra.Major, limits.Major}, {libra.Minor, limits.Minor}} {
		if l.days > 0 && left < time.Duration(l.days)*day {
			r := p.fail("expires on %s, in %s, limit %s", libra.FormatTime(until), libra.FormatDuration(left), libra.Several(l.days, "day"))
			r.Severity = l.severity
			if left < 0 {
				r.Summary, r.Evidence = "The certificate has expired", "expired on "+libra.FormatTime(until)
			}
			return r
		}
	}
	return Reading{Verdict: Pass}
}

const day = 24 * time.Hour

// weight is the size of a page when it was last within its budget.
type weight struct {
	At    time.Time                    `json:"at"`
	Bytes map[libra.ResourceType]int64 `json:"bytes"`
}

func weightOf(r event.Reported) weight {
	w := weight{At: r.At, Bytes: map[libra.ResourceType]int64{}}
	for t, s := range r.Report.Totals.ByType {
		w.Bytes[t] = s.TransferBytes
	}
	return w
}

// growthText names what has grown most since the page was within its budget, and
// the biggest asset of that kind; without such a time, the biggest of what the
// budget's line is about.
func growthText(r libra.Report, over []event.OverLine, was weight) string {
	kind, growth := libra.ResourceType(""), int64(0)
	for _, t := range libra.ResourceTypes() {
		if more := r.Totals.ByType[t].TransferBytes - was.Bytes[t]; was.Bytes != nil && more > growth {
			kind, growth = t, more
		}
	}
	text := ""
	if kind != "" {
		text = fmt.Sprintf("; +%s of %s since %s", libra.FormatBytes(growth), plural(kind), libra.FormatTime(was.At))
	} else if len(over) > 0 && slices.Contains(libra.ResourceTypes(), libra.ResourceType(over[0].Type)) {
		kind = libra.ResourceType(over[0].Type)
	}
	var biggest libra.Asset
	for _, a := range r.Assets {
		if a.Fetch == libra.Fetched && (kind == "" || a.Type == kind) && a.TransferBytes() > biggest.TransferBytes() {
			biggest = a
		}
	}
	if biggest.URL == "" {
		return text
	}
	comma := ","
	if text == "" {
		comma = ";"
	}
	return text + fmt.Sprintf("%s biggest: %s %s", comma, fileName(biggest.URL), libra.FormatBytes(biggest.TransferBytes()))
}

func plural(t libra.ResourceType) string {
	switch t {
	case libra.Media:
		return "media"
	case libra.Other:
		return "other files"
	}
	return string(t) + "s"
}

// fileName is the last part of a URL's path, or its host.
func fileName(address string) string {
	host, file := libra.URLParts(address)
	if decoded, err := url.PathUnescape(file); err == nil {
		file = decoded
	}
	if base := path.Base(file); base != "." && base != "/" {
		return base
	}
	return host + "/"
}
