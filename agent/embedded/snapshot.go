package embedded

import (
	"archive/tar"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/prometheus/prometheus/tsdb"
)

// ErrBusy: a snapshot is being given to somebody already.
var ErrBusy = errors.New("embedded: a snapshot is being taken already")

// snapshotPrefix begins the names of the folders that snapshots are taken in.
const snapshotPrefix = "snapshot-"

// Snapshot is what a replica has, as it was at one moment: blocks of the TSDB. It
// costs the disk no more than what was not in a block yet, for the rest is linked.
type Snapshot struct {
	// Bytes is what Write writes, but for some hundred of each file.
	Bytes int64

	dir    string
	blocks []tsdb.BlockMeta // the one that ends first comes first
	done   func()
}

// Snapshot takes one of all blocks with samples after since, the head's among
// them. There is one at a time: until it is closed, the next is ErrBusy.
func (e *Engine) Snapshot(ctx context.Context, since time.Time) (s *Snapshot, err error) {
	if !e.snapshotting.TryLock() {
		return nil, ErrBusy
	}
	s = &Snapshot{done: e.snapshotting.Unlock}
	defer func() {
		if err != nil {
			err = fmt.Errorf("embedded: take a snapshot: %w", errors.Join(err, s.Close()))
			s = nil
		}
	}()
	if s.dir, err = os.MkdirTemp(e.cfg.DataDir, snapshotPrefix); err != nil {
		return s, err
	}
	// What came late is not in the head's block, but in blocks of its own.
	if err := e.db.CompactOOOHead(ctx); err != nil {
		return s, err
	}
	if err := e.db.Snapshot(s.dir, e.db.Head().NumSeries() > 0); err != nil {
		return s, err
	}
	return s, s.read(since)
}

// read finds the blocks that there are.
func (s *Snapshot) read(since time.Time) error {
	dirs, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	for _, d := range dirs {
		if _, err := ulid.ParseStrict(d.Name()); err != nil {
			continue
		}
		b, err := os.ReadFile(filepath.Join(s.dir, d.Name(), metaFile))
		if err != nil {
			return err
		}
		var meta tsdb.BlockMeta
		if err := json.Unmarshal(b, &meta); err != nil {
			return fmt.Errorf("block %s: %w", d.Name(), err)
		}
		if meta.MaxTime <= since.UnixMilli() {
			continue
		}
		s.blocks = append(s.blocks, meta)
		if err := s.files(meta, func(_ string, info fs.FileInfo) error {
			s.Bytes += info.Size()
			return nil
		}); err != nil {
			return err
		}
	}
	slices.SortFunc(s.blocks, func(a, b tsdb.BlockMeta) int {
		return cmp.Or(cmp.Compare(a.MaxTime, b.MaxTime), a.ULID.Compare(b.ULID))
	})
	return nil
}

// files calls f for each file of a block, by its path below the snapshot.
func (s *Snapshot) files(meta tsdb.BlockMeta, f func(name string, info fs.FileInfo) error) error {
	return fs.WalkDir(os.DirFS(s.dir), meta.ULID.String(), func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		return f(name, info)
	})
}

// Write writes the blocks as a tar stream of files ULID/…, one block after the
// other.
func (s *Snapshot) Write(w io.Writer) error {
	archive := tar.NewWriter(w)
	for _, meta := range s.blocks {
		if err := s.files(meta, func(name string, info fs.FileInfo) error {
			if err := archive.WriteHeader(&tar.Header{Name: path.Clean(name), Mode: 0o640, Size: info.Size()}); err != nil {
				return err
			}
			f, err := os.Open(filepath.Join(s.dir, filepath.FromSlash(name)))
			if err != nil {
				return err
			}
			defer f.Close()
			_, err = io.Copy(archive, f)
			return err
		}); err != nil {
			return fmt.Errorf("embedded: write block %s: %w", meta.ULID, err)
		}
	}
	return archive.Close()
}

// Close removes the snapshot.
func (s *Snapshot) Close() error {
	defer s.done()
	if s.dir == "" {
		return nil
	}
	return os.RemoveAll(s.dir)
}

// removeSnapshots removes those that an earlier run was taking when it ended.
func removeSnapshots(dataDir string) error {
	left, err := filepath.Glob(filepath.Join(dataDir, snapshotPrefix+"*"))
	for _, dir := range left {
		err = errors.Join(err, os.RemoveAll(dir))
	}
	return err
}
