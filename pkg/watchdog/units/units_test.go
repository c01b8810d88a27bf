package units_test

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
	"github.com/google/go-cmp/cmp"

	"libra/pkg/watchdog/units"
)

// Names of units stand in object paths with all but letters and digits escaped.
func TestRead(t *testing.T) {
	changed := func(path string, properties map[string]dbus.Variant) *dbus.Signal {
		return &dbus.Signal{Path: dbus.ObjectPath(path), Body: []any{"org.freedesktop.systemd1.Service", properties, []string{}}}
	}
	for _, c := range []struct {
		signal *dbus.Signal
		want   units.Change
		ok     bool
	}{
		{changed("/org/freedesktop/systemd1/unit/libra_2dinspector_401_2eservice", nil), units.Change{Unit: "libra-inspector@1.service"}, true},
		{
			changed("/org/freedesktop/systemd1/unit/libra_2dbus_2eservice", map[string]dbus.Variant{"Result": dbus.MakeVariant("watchdog")}),
			units.Change{Unit: "libra-bus.service", Result: "watchdog"},
			true,
		},
		{changed("/org/freedesktop/systemd1/unit/a_zz_2", nil), units.Change{Unit: "a_zz_2"}, true},
		{changed("/org/freedesktop/systemd1/job/7", nil), units.Change{}, false},
		{&dbus.Signal{Path: "/org/freedesktop/systemd1/unit/x"}, units.Change{}, false},
	} {
		got, ok := units.Read(c.signal)
		if diff := cmp.Diff(c.want, got); diff != "" || ok != c.ok {
			t.Errorf("%+v: %v\n%s", c.signal, ok, diff)
		}
	}
}

// Without a D-Bus, every call returns an error at once.
func TestNoBus(t *testing.T) {
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path="+t.TempDir()+"/none")
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	s := &units.Systemd{}
	for range 2 {
		if all, err := s.Units(ctx, []string{"libra-bus.service"}); err == nil {
			t.Errorf("%+v", all)
		}
	}
	if err := s.Subscribe(ctx, func(units.Change) {}); err == nil {
		t.Error("subscribed without a D-Bus")
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// A D-Bus that accepts connections and does not answer delays a caller no longer
// than allowed.
func TestSilentBus(t *testing.T) {
	path := t.TempDir() + "/silent"
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path="+path)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if all, err := (&units.Systemd{}).Units(ctx, nil); err == nil {
		t.Errorf("%+v", all)
	}
}
