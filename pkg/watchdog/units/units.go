// Package units reads the states of services from systemd, over D-Bus, and
// subscribes to their changes. It starts and stops nothing: any user may make its
// calls.
package units

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/godbus/dbus/v5"
)

// Unit is the state of a service.
type Unit struct {
	Load   string // "loaded", "not-found", "masked"
	Active string // "active", "activating", "deactivating", "inactive", "failed"
	Sub    string // "running", "dead", "auto-restart"
	Job    string // pending: "start", "stop"; "" for none
	// Restarts counts those by systemd itself, since its last start by an operator.
	Restarts int
	// Result is how its last process ended, and ExitStatus its code or signal; both
	// only while it is not active.
	Result     string // "success", "exit-code", "signal", "watchdog", "oom-kill", "start-limit-hit"
	ExitStatus int
	// Status is its last line of status, which its last process may have left; only
	// while it is not active.
	Status string
	// TriggerFailed is the socket or another unit that starts it, and has failed;
	// only while it is inactive.
	TriggerFailed string
	// Triggered means that a socket or another unit is active that starts it when
	// needed; only while it is inactive.
	Triggered bool
}

// Stopping reports whether it is being stopped.
func (u Unit) Stopping() bool { return u.Job == "stop" || u.Job == "restart" }

// Change is a change of a unit.
type Change struct {
	Unit   string
	Result string // "" where it has not changed
}

const (
	systemd    = "org.freedesktop.systemd1"
	manager    = systemd + ".Manager"
	service    = systemd + ".Service"
	unit       = systemd + ".Unit"
	properties = "org.freedesktop.DBus.Properties"
	root       = dbus.ObjectPath("/org/freedesktop/systemd1")
)

// Systemd connects when it is asked, and again when the connection is lost.
// The zero value is ready for use.
type Systemd struct {
	mu   sync.Mutex
	conn *dbus.Conn // under mu; nil while not connected
}

// Close closes the connection.
func (s *Systemd) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn == nil {
		return nil
	}
	err := s.conn.Close()
	s.conn = nil
	return err
}

func (s *Systemd) connected(ctx context.Context) (*dbus.Conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != nil && s.conn.Connected() {
		return s.conn, nil
	}
	conn, err := dial(ctx)
	if err != nil {
		return nil, err
	}
	s.conn = conn
	return conn, nil
}

// dial connects to the system's D-Bus. The connection outlives ctx, which only
// bounds the dialling.
func dial(ctx context.Context) (*dbus.Conn, error) {
	life, end := context.WithCancel(context.Background())
	stop := context.AfterFunc(ctx, end) // a D-Bus that hangs does not answer
	conn, err := dbus.ConnectSystemBus(dbus.WithContext(life))
	if err != nil {
		end()
		return nil, fmt.Errorf("connect to D-Bus: %w", err)
	}
	if !stop() {
		end()
		return nil, errors.Join(ctx.Err(), conn.Close())
	}
	return conn, nil
}

// listed is a row of ListUnitsByNames.
type listed struct {
	Name, Description, Load, Active, Sub, Following string
	Path                                            dbus.ObjectPath
	JobID                                           uint32
	JobType                                         string
	JobPath                                         dbus.ObjectPath
}

// Units returns the states of the named units.
func (s *Systemd) Units(ctx context.Context, names []string) (map[string]Unit, error) {
	conn, err := s.connected(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := list(ctx, conn, names)
	if err != nil {
		return nil, err
	}
	all := map[string]Unit{}
	for _, row := range rows {
		u := Unit{Load: row.Load, Active: row.Active, Sub: row.Sub}
		if row.JobID != 0 {
			u.Job = row.JobType
		}
		if row.Load == "loaded" {
			if err := u.ask(ctx, conn, row.Path); err != nil {
				return nil, fmt.Errorf("ask about unit %q: %w", row.Name, err)
			}
		}
		all[row.Name] = u
	}
	return all, nil
}

// Stopping reports whether the named unit is being stopped, alone or with the whole
// machine.
func (s *Systemd) Stopping(ctx context.Context, name string) (bool, error) {
	conn, err := s.connected(ctx)
	if err != nil {
		return false, err
	}
	var state dbus.Variant
	if err := conn.Object(systemd, root).CallWithContext(ctx, properties+".Get", 0, manager, "SystemState").Store(&state); err != nil {
		return false, fmt.Errorf("ask for the state of the system: %w", err)
	}
	if state.Value() == "stopping" {
		return true, nil
	}
	rows, err := list(ctx, conn, []string{name})
	return slices.ContainsFunc(rows, func(row listed) bool { return Unit{Job: row.JobType}.Stopping() }), err
}

func list(ctx context.Context, conn *dbus.Conn, names []string) (rows []listed, err error) {
	if err := conn.Object(systemd, root).CallWithContext(ctx, manager+".ListUnitsByNames", 0, names).Store(&rows); err != nil {
		return nil, fmt.Errorf("list units: %w", err)
	}
	return rows, nil
}

func (u *Unit) ask(ctx context.Context, conn *dbus.Conn, path dbus.ObjectPath) error {
	object := conn.Object(systemd, path)
	get := func(kind, name string, into any) error {
		var v dbus.Variant
		if err := object.CallWithContext(ctx, properties+".Get", 0, kind, name).Store(&v); err != nil {
			return err
		}
		return v.Store(into)
	}
	var restarts uint32
	if err := get(service, "NRestarts", &restarts); err != nil {
		return err
	}
	u.Restarts = int(restarts)
	if u.Active == "active" {
		return nil
	}
	var status int32
	var triggers []string
	err := errors.Join(get(service, "Result", &u.Result), get(service, "ExecMainStatus", &status), get(service, "StatusText", &u.Status), get(unit, "TriggeredBy", &triggers))
	u.ExitStatus = int(status)
	if err != nil || u.Active != "inactive" || len(triggers) == 0 {
		return err
	}
	rows, err := list(ctx, conn, triggers)
	for _, row := range rows {
		u.Triggered = u.Triggered || row.Active == "active"
		if row.Active == "failed" {
			u.TriggerFailed = row.Name
		}
	}
	return err
}

// Subscribe calls changed for every unit that changes, until ctx ends or the
// connection is lost.
func (s *Systemd) Subscribe(ctx context.Context, changed func(Change)) error {
	conn, err := dial(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	signals := make(chan *dbus.Signal, 256)
	conn.Signal(signals)
	err = conn.AddMatchSignalContext(ctx, dbus.WithMatchSender(systemd), dbus.WithMatchInterface(properties),
		dbus.WithMatchMember("PropertiesChanged"), dbus.WithMatchPathNamespace(root+"/unit"))
	if err != nil {
		return fmt.Errorf("subscribe to systemd: %w", err)
	}
	if err := conn.Object(systemd, root).CallWithContext(ctx, manager+".Subscribe", 0).Store(); err != nil {
		return fmt.Errorf("subscribe to systemd: %w", err)
	}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case s, ok := <-signals:
			if !ok {
				return errors.New("subscribe to systemd: the connection to D-Bus is lost")
			}
			if c, ok := read(s); ok {
				changed(c)
			}
		}
	}
}

func read(s *dbus.Signal) (c Change, ok bool) {
	label, ok := strings.CutPrefix(string(s.Path), string(root)+"/unit/")
	if !ok || len(s.Body) < 2 {
		return c, false
	}
	c.Unit = name(label)
	if changed, ok := s.Body[1].(map[string]dbus.Variant); ok {
		if result, ok := changed["Result"]; ok {
			c.Result, _ = result.Value().(string)
		}
	}
	return c, true
}

// name undoes systemd's escaping of object paths: _2d is a hyphen.
func name(label string) string {
	var b strings.Builder
	for i := 0; i < len(label); i++ {
		if label[i] == '_' && i+2 < len(label) {
			if n, err := strconv.ParseUint(label[i+1:i+3], 16, 8); err == nil {
				b.WriteByte(byte(n))
				i += 2
				continue
			}
		}
		b.WriteByte(label[i])
	}
	return b.String()
}
