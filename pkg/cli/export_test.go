package cli

import "context"

// SeeUnitsOfSystemd is what doctor says of the units, also where systemd is not
// what runs this machine.
func SeeUnitsOfSystemd(ctx context.Context) (list []string, err error) {
	units, err := unitsHere(ctx)
	for _, f := range judgeUnits(units) {
		list = append(list, f.Seen+" | "+f.Remedy)
	}
	return list, err
}

// SeeBus is what doctor says of the bus's store.
func SeeBus(store, space string) (seen string) { return seeBus(store, space)[0].Seen }

// SeeSettings is what doctor says of a file of settings, and what the file gives
// one of them.
func SeeSettings(file, name string) (list []string, value string) {
	for _, f := range seeSettings(file) {
		list = append(list, f.Seen)
	}
	return list, setting(file, name)
}
