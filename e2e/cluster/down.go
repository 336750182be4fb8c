package cluster

import (
	"errors"
	"os"
)

// Down stops the cluster and removes all that Up made but the built programs.
func (c *Cluster) Down() error { return Down(c.o.Dir) }

// Down is for a folder in which an Up may have been killed half way: it goes by
// what is on record there, and ends another program that is still in its Up. An
// empty dir is the default; a folder without a cluster is no error.
func Down(dir string) error {
	dir, err := resolveDir(dir)
	if err != nil {
		return err
	}
	c := &Cluster{Options{Dir: dir}}
	if livePID(c.owner()) != os.Getpid() {
		if err := kill(c.owner()); err != nil {
			return err
		}
	}
	up, err := Open(dir)
	switch {
	case errors.Is(err, ErrNotUp): // nothing was made outside the folder
	case err != nil:
		return err
	default:
		if err := up.clear(); err != nil {
			return err
		}
	}
	return os.RemoveAll(c.run(""))
}

// clear removes what there is of the cluster outside its folder. It tries
// everything, whatever fails.
func (c *Cluster) clear() error {
	var errs []error
	for n := 0; n <= c.o.Nodes; n++ {
		errs = append(errs, c.stop(n))
	}
	return errors.Join(append(errs, unplug(c.bridge()), removeCgroups(c.cgroup()))...)
}
