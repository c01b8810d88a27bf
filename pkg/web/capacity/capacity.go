// Package capacity says how busy Libra is, and what more fits: by Little's law, L = λW,
// from what the components count in their heartbeats. A Tracker keeps samples of five
// minutes, 70 kB at most, which a restart forgets; it does no input or output.
//
// Every inspection passes the stages in this order, each with slots for so many at a
// time. A stage is asked for λ per second, each takes W, so that L = λW are in progress;
// L divided by the slots is its utilisation, and slots divided by W the most per second
// that it can do. The bus has no slots: it stores one message after the other, so that its
// utilisation is the time in which a component has one to store.
//
// Where requests arrive at random, one waits ρ/(1-ρ) times W for a stage of one slot with
// utilisation ρ (M/M/1, https://en.wikipedia.org/wiki/M/M/1_queue): 2.3 times at [Target],
// 9 times at 90 %.
package capacity

import (
	"time"

	"libra/pkg/component"
)

// Target is the utilisation up to which more is said to fit: the rest is for bursts.
const Target = 0.7

const (
	// Every is how often a sample is taken.
	Every = 5 * time.Second
	// Window is the time that rates and utilisations are of.
	Window = 5 * time.Minute
	// LeastDone is how many inspections it takes to say how long one is.
	LeastDone = 20
	// leastTrend is how many requests more have to wait at the end of the window than at
	// its beginning for a queue to grow.
	leastTrend = 10
)

// StageName names a stage.
type StageName string

// The stages. Publish is the bus, with every component that has a message stored.
const (
	Submit  StageName = "submit"
	Publish StageName = "publish"
	Inspect StageName = "inspect"
	Record  StageName = "record"
	Notify  StageName = "notify"
	// Processors are no stage: every stage needs them.
	Processors StageName = "processors"
)

// stages is what each stage counts in the heartbeats of its component, and whether the
// inspections of watches pass it.
var stages = []struct {
	name             StageName
	component, shown string // component: "" for all
	done, spent      string // counters; spent is in microseconds
	watches          bool
}{
	{Submit, component.Web, component.Web, "requests_submitted", "busy_us", false},
	{Publish, "", component.Bus, "published", "publishing_us", true},
	{Inspect, component.Inspector, component.Inspector, "reports_published", "busy_us", true},
	{Record, component.Recorder, component.Recorder, "reports_recorded", "busy_us", true},
	{Notify, component.Notifier, component.Notifier, "messages_delivered", "busy_us", false},
}

const (
	publish = 1 // in stages
	inspect = 2
	record  = 3
)

// Counters of heartbeats that are not of a stage.
const (
	slotsCounter = "slots"
	cpuCounter   = "cpu_us"
	anyCounter   = "publishing_any_us"
	grownCounter = "history_grown_bytes"
	pruneCounter = "prune_at_percent"
)

// Reading is what an instance of a component has counted since its start.
type Reading struct {
	Component, Instance string
	Started             time.Time
	Up                  bool // its heartbeats arrive
	Counters            map[string]int64
}

// Doc is what /api/capacity answers. A figure that nobody knows yet is null.
type Doc struct {
	At        time.Time     `json:"at,omitzero"` // of the newest sample; left out before the first
	WindowS   float64       `json:"window_s"`    // the time that rates and utilisations are of
	Stages    []Stage       `json:"stages"`
	Processor Processor     `json:"processor"`
	Queue     *QueueDoc     `json:"queue"`
	History   *HistoryDoc   `json:"history"`
	Watches   WatchesDoc    `json:"watches"`
	Inspector InspectorsDoc `json:"inspectors"`
	Warnings  []string      `json:"warnings"` // what is about to be full; never null
}

// Stage is how busy a stage is.
type Stage struct {
	Stage         StageName `json:"stage"`
	Component     string    `json:"component"`
	PerSecond     float64   `json:"per_second"`      // λ: how many ended
	ServiceMS     *float64  `json:"service_ms"`      // W: how long one took; since the first sample where the window has fewer than LeastDone inspections
	InProgress    float64   `json:"in_progress"`     // L: how many were in progress, on average
	Slots         int64     `json:"slots"`           // how many may be; 0 where there is no such limit
	Utilisation   *float64  `json:"utilisation"`     // 0 to 1
	MostPerSecond *float64  `json:"most_per_second"` // at a utilisation of 1
}

// Processor is how busy the processors are with Libra; other programs are left out.
type Processor struct {
	Cores           int      `json:"cores"`
	InUse           float64  `json:"in_use"`            // cores
	Utilisation     float64  `json:"utilisation"`       // 0 to 1
	Idle            *float64 `json:"idle"`              // cores that Libra uses while it inspects nothing
	PerInspectionMS *float64 `json:"per_inspection_ms"` // of one core, of all components; at most this while Idle is null
	MostPerSecond   *float64 `json:"most_per_second"`   // inspections at a utilisation of 1; at least these while Idle is null
}

// QueueDoc is the open requests, and where their number is going.
type QueueDoc struct {
	Open       int      `json:"open"`
	OldestAgeS float64  `json:"oldest_age_s"` // 0 without one
	Bytes      int64    `json:"bytes"`
	MostBytes  int64    `json:"most_bytes"`
	PerMinute  *float64 `json:"per_minute"` // by how many it grows; negative while it shrinks
	FullInS    *float64 `json:"full_in_s"`  // null unless it grows, and that is within 30 days
	// WatchesWaiting counts the watches that are due and have no request yet, because their
	// client has as many open ones as it may; WatchesWaitS is for how long the first does.
	WatchesWaiting int64   `json:"watches_waiting"`
	WatchesWaitS   float64 `json:"watches_wait_s"` // 0 without one
}

// HistoryDoc is the history and its disk.
type HistoryDoc struct {
	Bytes          int64    `json:"bytes"`
	ReportsPerDay  *float64 `json:"reports_per_day"` // by the last day; in the first hour of a history by the window
	BytesPerReport *float64 `json:"bytes_per_report"`
	BytesPerDay    *float64 `json:"bytes_per_day"`
	DiskUsed       int64    `json:"disk_used_bytes"`
	DiskAvailable  int64    `json:"disk_available_bytes"`
	DiskPercent    float64  `json:"disk_percent"`     // in use
	PruneAtPercent int64    `json:"prune_at_percent"` // the oldest reports are removed from then on; 0: they never are
	PruneInS       *float64 `json:"prune_in_s"`       // when that begins; 0 when it has begun
	FullInS        *float64 `json:"full_in_s"`        // when the disk would be full without that
	HoldsDays      *float64 `json:"holds_days"`       // of reports, when it has begun
}

// WatchesDoc is how many watches there are, and how many fit.
type WatchesDoc struct {
	Count         int       `json:"count"`
	EveryS        float64   `json:"every_s"`         // their mean interval; 60 without one
	PerSecond     float64   `json:"per_second"`      // inspections that they ask for
	MostPerSecond *float64  `json:"most_per_second"` // inspections that leave every stage at Target
	LimitedBy     StageName `json:"limited_by"`      // what is there first: a stage, or the processors; "" while that is not known
	Fit           *int      `json:"fit"`             // watches at the mean interval, with those there are
	FitMinute     *int      `json:"fit_every_minute"`
	AtLeast       bool      `json:"at_least"` // more may fit: it is the processors' least
}

// InspectorsDoc is what one inspector fewer means.
type InspectorsDoc struct {
	Up             int      `json:"up"`
	Slots          int64    `json:"slots"`             // of all
	SlotsWithout   int64    `json:"slots_without_one"` // without the one that has most
	MostWithout    *float64 `json:"most_per_second_without_one"`
	FitWithout     *int     `json:"fit_without_one"`
	FitMinuteLess  *int     `json:"fit_every_minute_without_one"`
	AtLeast        bool     `json:"at_least_without_one"`    // more may fit
	UtilisationOne *float64 `json:"utilisation_without_one"` // of the others, by the present load
}
