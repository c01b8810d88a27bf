package event

import (
	"encoding/json"
	"strings"

	"libra/pkg/libra"
)

// AlarmsFileAlarm is the id of the alarm of a fault of alarms.toml, which notifier
// and watchdog name.
const AlarmsFileAlarm = "alarms-file"

// SettingsAlarm is the id of the alarm of invalid settings: several components
// may name it, and each several faults.
const SettingsAlarm = "settings"

// Bounds, in bytes: on the text of one fault of the settings, and on what a heartbeat,
// which is published several times a second, has of all of them, in JSON.
const (
	mostSettingFault  = 600
	mostSettingFaults = 4000
)

// SettingTroubles makes a trouble of each fault of the settings that a component
// goes on in spite of; of those without room, the last trouble is their number.
func SettingTroubles(faults []error) (list []Trouble) {
	trouble := func(text string) Trouble {
		return Trouble{
			ID: SettingsAlarm, Target: "libra.env", Severity: libra.Minor, Runbook: "#settings",
			Summary: "Settings are invalid and not in effect", Evidence: text,
		}
	}
	size := 0
	for i, err := range faults {
		t := trouble(Cut(strings.ReplaceAll(err.Error(), "\n", " "), mostSettingFault))
		data, _ := json.Marshal(t)
		if size += len(data); size > mostSettingFaults {
			return append(list, trouble(libra.Several(len(faults)-i, "more fault")+": libra doctor lists them"))
		}
		list = append(list, t)
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
