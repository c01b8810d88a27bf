package notifier

// receive reports whether a notification is new to the log: transitions come
// again after a crash, or both by the bus and by the socket. On the bus they
// are in order; what came by the socket meanwhile is newer than what the bus
// delivers of the same alarm until it has caught up. l.mu is held.
func (l *notificationLog) receive(n *notification) (isNew bool) {
	t := n.Transition
	ahead, ok := l.Ahead[t.Alarm.ID]
	switch {
	case n.Direct:
		l.Ahead[t.Alarm.ID] = t.At
	case ok && t.At.Before(ahead):
		return false
	case ok:
		delete(l.Ahead, t.Alarm.ID)
	}
	n.Repeat = n.Repeat && !l.loaded
	e := l.Open[t.Alarm.ID] // of a raise that was sent too long ago for l.seen
	return !l.seen.has(t.ID) && (e == nil || e.Notified != t.ID)
}
