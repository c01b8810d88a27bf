package pages

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"libra/pkg/web/api"
)

// problemPage is a problem as a person reads it: what was asked for, why it was not
// had, and where to go.
type problemPage struct {
	Title  string
	Text   []string // paragraphs
	About  api.About
	Links  []problemLink
	Status int
}

type problemLink struct{ URL, Text string }

// RenderProblem answers a browser with a problem.
func (s *Pages) RenderProblem(w http.ResponseWriter, r *http.Request, p *api.Problem) {
	doc := problemPage{Title: p.Title, About: p.About, Status: p.Status}
	doc.word(p, r)
	for _, l := range []problemLink{{"/", "All pages"}, {"/alarms", "Alarms"}, {"/status", "Status"}} {
		doc.lead(r, l.URL, l.Text)
	}
	s.renderLive(w, r, p.Status, "problem", layout{Title: doc.Title, Document: doc})
}

// lead adds a link.
func (d *problemPage) lead(r *http.Request, path, text string) {
	d.Links = append(d.Links, problemLink{api.At(r, path), text})
}

// word says what happened without the words that are for programs. A problem that
// has no words of its own here has those of the API, without its remedy where that
// is a request to make.
func (d *problemPage) word(p *api.Problem, r *http.Request) {
	kind := strings.TrimPrefix(p.Type, api.ProblemURN)
	if kind == "about:blank" {
		kind = fmt.Sprint(p.Status)
	}
	switch kind {
	case "404":
		d.say("There is no such page", fmt.Sprintf("You asked for %s, and Libra has nothing there.", address(r)), "The address may be mistyped, or the link that led here may be an old one.")
	case "no-such-page":
		d.say("Libra has no such page", fmt.Sprintf("You asked for the report of a page with the id %q, and Libra has none.", api.Short(p.About.ID, 60)),
			"The link may be from another installation of Libra, or the page was inspected so long ago that its reports were removed. To have it inspected again, enter its address above the list of all pages.")
	case "no-such-alarm":
		d.say("There is no such alarm", fmt.Sprintf("You asked for the alarm %q, and Libra has never raised it.", api.Short(p.About.ID, 60)), "Its name may be mistyped, or the link may be from another installation of Libra.")
	case "no-such-silence":
		d.say("This silence is over", "It has ended already, so there is nothing to end.")
		d.lead(r, "/alarms#silences", "Silences")
	case "quarantined":
		d.Title = "This page is in quarantine" // the template has the rest, with its time
		d.lead(r, "/pages/"+p.About.ID, "Open its page to release it")
	case "not-quarantined":
		d.say("This page is not in quarantine", fmt.Sprintf("%s can be inspected like any other page. It may have been released already.", shortURL(p.About.URL)))
		d.lead(r, "/pages/"+p.About.ID, "Open its page")
	case "cleared":
		d.Title = "This alarm has cleared"
		d.lead(r, "/alarms/"+url.PathEscape(p.About.ID), "Open the alarm")
	case "not-running":
		d.say("This inspection is not in progress", "It has ended, or never began. The report of its page is in the list of pages.")
		d.lead(r, "/live", "Live")
	case "after":
		d.say("This link leads nowhere", "It names a place in a list that does not exist. Begin with the newest entries.")
	case "405":
		d.say("There is nothing to read here", fmt.Sprintf("%s is where a form is sent. It may have been opened or reloaded by hand.", address(r)))
	case "403":
		d.say("This was sent by another site", "A page of another site sent this to Libra, which accepts forms from its own pages only. Nothing was changed.")
	case "bus", "full":
		d.say("Not stored", "Libra cannot store anything at this moment, so nothing was changed. Go back and send it again in a few seconds.")
	case "overloaded":
		d.say("Too much to do at this moment", "Libra gets more requests than it can work on, so this one was refused and nothing was changed. Go back and try again in a few seconds.")
	case "not-readable":
		d.say("Not available at this moment", "Libra cannot read all of its data at this moment, and what you asked for is not in memory. Try again in a few seconds.")
		if r.Method == http.MethodGet {
			d.lead(r, r.URL.RequestURI(), "Try again")
		}
	default:
		for _, why := range p.Details {
			d.Text = append(d.Text, why.String()+".")
		}
	}
}

func (d *problemPage) say(title string, text ...string) { d.Title, d.Text = title, text }

// address is the path of a request as people read it.
func address(r *http.Request) string { return api.Short(api.At(r, r.URL.Path), 120) }
