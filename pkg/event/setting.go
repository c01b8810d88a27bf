package event

import (
	"fmt"
	"strings"

	"libra/pkg/libra"
)

// AlarmsFileAlarm is the id of the alarm of a fault of alarms.toml, which notifier
// and watchdog name.
const AlarmsFileAlarm = "alarms-file"

// SettingsAlarm is the id of the alarm of invalid settings: several components
// may name it, and each several faults.
const SettingsAlarm = "settings"

// Bounds on what a heartbeat has of invalid settings: on the number of faults, and
// on the text of one, in bytes.
const (
	mostSettingFaults = 20
	mostSettingFault  = 600
)

// SettingTroubles makes a trouble of each fault of the settings that a component
// goes on in spite of.
func SettingTroubles(faults []error) (list []Trouble) {
	for i, err := range faults {
		text := Cut(strings.ReplaceAll(err.Error(), "\n", " "), mostSettingFault)
		if i == mostSettingFaults {
			text = fmt.Sprintf("and %d more: libra doctor lists them", len(faults)-i)
		}
		list = append(list, Trouble{
			ID: SettingsAlarm, Target: "libra.env", Severity: libra.Minor, Runbook: "#settings",
			Summary: "Settings are invalid and not in effect", Evidence: text,
		})
		if i == mostSettingFaults {
			break
		}
	}
	return list
}

// Cut shortens text to at most so many bytes.
func Cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most-len("…")], "") + "…"
}
