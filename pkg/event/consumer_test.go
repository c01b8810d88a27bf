package event_test

import (
	"testing"

	"libra/pkg/event"
)

func TestConsumerCalls(t *testing.T) {
	for _, c := range []struct {
		subject string
		want    event.ConsumerCall
		own     bool
	}{
		{"$JS.API.CONSUMER.CREATE.REPORTS.web-1", event.ConsumerCall{Op: "CREATE", Name: "web-1"}, true},
		{"$JS.API.CONSUMER.CREATE.WATCHES.web-1.libra.schedule.>", event.ConsumerCall{Op: "CREATE", Name: "web-1"}, true},
		{"$JS.API.CONSUMER.INFO.REPORTS.web", event.ConsumerCall{Op: "INFO", Name: "web"}, true},
		{"$JS.API.CONSUMER.DELETE.REPORTS.recorder", event.ConsumerCall{Op: "DELETE", Name: "recorder"}, false},
		{"$JS.API.CONSUMER.INFO.REPORTS.website", event.ConsumerCall{Op: "INFO", Name: "website"}, false},
	} {
		asked, ok := event.ConsumerCallSubject("web", c.subject)
		if !ok {
			t.Errorf("%s is asked directly", c.subject)
		}
		got, ok := event.ConsumerCallOf(asked)
		c.want.Role, c.want.Subject = "web", c.subject
		if !ok || got != c.want || got.Own() != c.own {
			t.Errorf("%s: %+v, %v, own %v; want %+v, own %v", asked, got, ok, got.Own(), c.want, c.own)
		}
	}
	for _, subject := range []string{"$JS.API.CONSUMER.MSG.NEXT.REPORTS.web", "$JS.API.STREAM.INFO.REPORTS", "libra.report.p1"} {
		if asked, ok := event.ConsumerCallSubject("inspector", subject); ok {
			t.Errorf("%s is asked on %s", subject, asked)
		}
	}
	for _, subject := range []string{"libra.consumer.web", "libra.consumer.web.CREATE.REPORTS", "libra.report.p1"} {
		if got, ok := event.ConsumerCallOf(subject); ok {
			t.Errorf("%s: %+v, want none", subject, got)
		}
	}
}
