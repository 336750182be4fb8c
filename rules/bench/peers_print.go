package main

import (
	"fmt"
	"slices"
)

func (b *bench) printPeers(spec peerSpec, found []finding, versions map[string]string) {
	fmt.Println(versions)
	for _, c := range spec.Calms {
		fmt.Printf("%s: %.2g\n", c.Name, c.Between)
	}
	for _, f := range found {
		d := slices.Clone(f.Delays)
		slices.Sort(d)
		fmt.Printf("| %s | %s | %s | %s | %d | %v | %d |\n", f.Change, f.Package, f.Detector, f.Setting, f.Size, d, f.Early)
	}
}
