package notifier

// routeStage passes on what a route of alarms.toml leads to the channel. A
// channel that was notified of an alarm is also notified of its changes, even if
// no route leads such alarms to it any more.
type routeStage struct {
	channel string
	policy  *policy
}

func (s routeStage) check(c candidate) *suppression {
	if c.trigger == changed || s.policy.routes(s.channel, c.Now.Alarm) {
		return nil
	}
	return &suppression{"route", "a route sent it to other channels"}
}
