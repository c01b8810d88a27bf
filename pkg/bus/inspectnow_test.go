package bus_test

import (
	"testing"

	"libra/pkg/bus/bustest"
)

// The watchdog has a watched page inspected beside its schedule.
func TestInspectNow(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t)
	web, watchdog, inspector := b.Connect("web"), b.Connect("watchdog"), b.Connect("inspector")
	w := watchOf("p1", 3600)
	if err := web.SetWatch(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	a := work(t, inspector)
	for n, occasion := range []string{"r1", "r2"} {
		if err := watchdog.InspectNow(t.Context(), w, occasion); err != nil {
			t.Fatal(err)
		}
		bustest.Await(t, "the request", func() bool { return len(a.all()) > n })
	}
	all := a.all()
	if len(all) != 2 || all[0].ID == all[1].ID || all[1].Page != w.Page || all[1].Watch == nil || all[1].Watch.EveryS != 3600 || all[1].Client != w.Client {
		t.Errorf("requests %+v", all)
	}
}
