package event

import (
	"errors"
	"fmt"
	"strings"

	"libra/pkg/libra"
)

// Belongs returns nil if a message may stand on a subject, else an error that says
// in what the two disagree. Who may publish on a subject is a matter of keys; this
// is about the body, which readers believe: its page, alarm or component must be the
// one that the subject names, and the id of a page must be that of its URL.
func Belongs(subject string, message any) error {
	switch m := message.(type) {
	case Request:
		return m.belongs(subject)
	case Reported:
		return m.belongs(subject)
	case Watch:
		if subject != WatchSubject(m.Page) && subject != DueSubject(m.Page) {
			return disagree("watch is of page", m.Page)
		}
		return pageIsOf(m.Page, m.URL)
	case Step:
		if subject != StepSubject(m.Page) && subject != WorkerSubject(m.Page) {
			return disagree("step is of page", m.Page)
		}
		return nil
	case Ask:
		if !strings.HasPrefix(subject, strings.TrimSuffix(AllInspectors, "*")) {
			return disagree("question to an inspector is about request", m.Request)
		}
		return nil
	case Look:
		if subject != InspectorSubject(m.Inspector) {
			return disagree("answer is of inspector", m.Inspector)
		}
		return nil
	case JournalAsk, Journal:
		if subject != JournalSubject {
			return fmt.Errorf("lines of the journal on subject %q", subject)
		}
		return nil
	case Samples:
		if subject != SampleSubject(m.Component, m.Instance) {
			return disagree("samples are of", m.Component+", instance "+m.Instance)
		}
		return nil
	case Running:
		if subject != RunningSubject(m.Inspector) {
			return disagree("inspections are of inspector", m.Inspector)
		}
		if m.Count < 0 || m.Count > mostCount {
			return fmt.Errorf("the inspector has %d inspections in progress: must be 0 to %d", m.Count, mostCount)
		}
		return nil
	case Host:
		return hostBelongs(subject, HostSubject(m.Host), m.Host, m.State, false)
	case Hold:
		return hostBelongs(subject, HoldSubject(m.Host), m.Host, m.State, true)
	case Heartbeat:
		if subject != HeartbeatSubject(m.Component, m.Instance) {
			return disagree("heartbeat is of", m.Component+", instance "+m.Instance)
		}
		return nil
	case Tried:
		if subject != ChannelSubject(m.Channel) {
			return disagree("answer is of channel", m.Channel)
		}
		return nil
	case libra.Transition:
		if m.Alarm.ID == "" || subject != AlarmSubject(m.Alarm.ID) {
			return disagree("alarm is", m.Alarm.ID)
		}
		return identified("transition", m.ID)
	case libra.Note:
		return noteBelongs(subject, m)
	}
	return fmt.Errorf("no subject is for a %T", message)
}

// disagree is the error of a message that names something other than its subject.
func disagree(what, named string) error {
	return fmt.Errorf("the %s %q, which is not what its subject names", what, Cut(named, 300))
}

func (r Request) belongs(subject string) error {
	at, ok := RequestOf(subject)
	switch {
	case !ok || r.Page != at.Page:
		return disagree("request is for page", r.Page)
	case Token(r.Site) != at.Site:
		return disagree("request is of site", r.Site)
	case r.Flow() != at.Flow:
		return disagree("request is of client", r.Client)
	}
	return r.sound()
}

// sound checks what a request says about itself: its id, and that everything in it
// is about one page.
func (r Request) sound() error {
	if r.Watch != nil && (r.Watch.Page != r.Page || r.Watch.URL != r.URL) {
		return fmt.Errorf("the request is for page %q, its watch is of page %q", Cut(r.Page, 300), Cut(r.Watch.Page, 300))
	}
	return errors.Join(identified("request", r.ID), pageIsOf(r.Page, r.URL))
}

func (r Reported) belongs(subject string) error {
	page := r.Request.Page
	switch subject {
	case FailureSubject(page):
		if r.Report.Outcome != libra.Error {
			return fmt.Errorf("the report is %q on the subject of pages that are an error", r.Report.Outcome)
		}
	case ReportSubject(page):
		// Earlier versions published a page that answered 404 as a good report.
		if r.Report.Outcome == libra.Error && (r.Report.Status == 0 || r.Report.Status/100 == 2) {
			return errors.New("the report is of a page that is an error, on the subject of good reports")
		}
	default:
		return disagree("report is of page", page)
	}
	return r.Request.sound()
}

func noteBelongs(subject string, n libra.Note) error {
	switch board := n.Kind == libra.Written; {
	case board && subject != BoardSubject(n.ID):
		return disagree("note on the board is", n.ID)
	case board && n.Silence != nil:
		return fmt.Errorf("the note %q on the board has a silence", Cut(n.ID, 300))
	case board:
		return identified("note", n.ID)
	case subject == NoteSubject(n) && (n.Silence != nil && n.Silence.ID != "" || n.Silence == nil && n.Alarm != ""):
		return identified("note", n.ID)
	case n.Silence != nil:
		return disagree("note is about silence", n.Silence.ID)
	}
	return disagree("note is about alarm", n.Alarm)
}

// hostBelongs checks what stands on stream HOSTS. free says that the state may be "".
func hostBelongs(subject, own, host string, state libra.HostState, free bool) error {
	switch {
	case subject != own:
		return disagree("message is about host", host)
	case host == "" || len(host) > MaxHost:
		return fmt.Errorf("the name of the host has %d bytes: must be 1 to %d", len(host), MaxHost)
	case state != libra.HostOpen && state != libra.HostClosed && (state != "" || !free):
		return fmt.Errorf("the state of host %q is %q: must be open or closed", host, Cut(string(state), 300))
	}
	return nil
}

// mostCount bounds what an inspector may say that it has in progress.
const mostCount = 1_000_000

// mostID bounds the id of a message, in bytes.
const mostID = 200

// identified checks the id of a message, by which its readers recognize a repeat.
func identified(what, id string) error {
	if id == "" || len(id) > mostID {
		return fmt.Errorf("the id of the %s has %d bytes: must be 1 to %d", what, len(id), mostID)
	}
	return nil
}

// pageIsOf checks that a page's id is that of its URL.
func pageIsOf(page, url string) error {
	switch {
	case !strings.HasPrefix(url, "https://") && !strings.HasPrefix(url, "http://"):
		return fmt.Errorf("the URL %q is not one of http or https", Cut(url, 300))
	case len(url) > libra.MaxURLBytes:
		return fmt.Errorf("the URL %q has %d bytes, more than %d", Cut(url, 300), len(url), libra.MaxURLBytes)
	case libra.PageID(url) != page:
		return fmt.Errorf("the id of the page %q is %s and not %q", Cut(url, 300), libra.PageID(url), Cut(page, 300))
	}
	return nil
}

// MostBytes bounds a message in JSON: what is longer was not published by a
// component of Libra.
func MostBytes(message any) int {
	switch message.(type) {
	case Reported:
		return 8 << 20 // what the bus carries at most
	case Heartbeat, Running, Look, Journal:
		return 256 << 10
	case Step, Host, Hold, Ask, Samples, JournalAsk:
		return 16 << 10
	}
	return 1 << 20 // a URL twice, and a budget or a text of 64 kB, every byte of it escaped
}
