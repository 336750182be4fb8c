package embedded

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/tsdb/fileutil"
	"github.com/prometheus/prometheus/tsdb/index"
)

const (
	metaFile = "meta.json"
	maxMeta  = 1 << 20
	// unfinished is how the TSDB calls folders that it removes when it is opened.
	unfinished = ".tmp-for-creation"
)

// blockFile is a file of a block, as Snapshot.Write names it.
var blockFile = regexp.MustCompile(`^([0-9A-HJKMNP-TV-Z]{26})/(meta\.json|index|tombstones|chunks/[0-9]{6})$`)

// Restored is what Restore has put into the storage.
type Restored struct {
	Blocks int // but for those that were there
	Bytes  int64
	// Through is the end of the last block that came whole: a snapshot of what is
	// after that goes on from there.
	Through time.Time
}

// Newest is the newest sample that an earlier run of this replica left, or zero.
func (e *Engine) Newest() time.Time { return e.newest }

// newestOf is the newest sample of a storage, or zero. A block of samples that came
// late doesn't say: it ends when two hours of the clock do.
func newestOf(db *tsdb.DB) time.Time {
	newest := int64(math.MinInt64)
	if db.Head().NumSeries() > 0 {
		newest = db.Head().MaxTime()
	}
	for _, b := range db.Blocks() {
		if m := b.Meta(); !m.Compaction.FromOutOfOrder() {
			newest = max(newest, m.MaxTime-1)
		}
	}
	if newest == math.MinInt64 {
		return time.Time{}
	}
	return time.UnixMilli(newest)
}

// Restore takes blocks from a stream of Snapshot.Write into the storage, beside
// those that are there; samples that both have are there once. Every block is read
// through before it is taken. What came whole before an error stays.
func (e *Engine) Restore(ctx context.Context, r io.Reader) (res Restored, err error) {
	in := incoming{engine: e, archive: tar.NewReader(r)}
	defer func() {
		err = errors.Join(err, in.drop())
		if in.taken.Blocks > 0 { // has the blocks loaded at once
			err = errors.Join(err, e.db.CompactOOOHead(context.WithoutCancel(ctx)))
		}
		if res = in.taken; err != nil {
			err = fmt.Errorf("embedded: restore: %w", err)
		}
	}()
	for {
		h, err := in.archive.Next()
		if errors.Is(err, io.EOF) {
			return res, in.finish(ctx)
		}
		if err != nil {
			return res, err
		}
		if err := in.file(ctx, h); err != nil {
			return res, err
		}
	}
}

// incoming is a snapshot that is read.
type incoming struct {
	engine  *Engine
	archive *tar.Reader
	block   ulid.ULID // that is being read; zero: none
	taken   Restored
}

func (in *incoming) dir() string { return filepath.Join(in.engine.db.Dir(), in.block.String()) }

// drop forgets what there is of the block that is being read.
func (in *incoming) drop() error {
	if in.block.IsZero() {
		return nil
	}
	return os.RemoveAll(in.dir() + unfinished)
}

// file reads one file. The first of another block ends the one before.
func (in *incoming) file(ctx context.Context, h *tar.Header) error {
	m := blockFile.FindStringSubmatch(h.Name)
	if m == nil || h.Typeflag != tar.TypeReg {
		return fmt.Errorf("%q is no file of a block", h.Name)
	}
	id, err := ulid.ParseStrict(m[1])
	if err != nil {
		return fmt.Errorf("block %s: %w", m[1], err)
	}
	if id != in.block {
		if err := in.finish(ctx); err != nil {
			return err
		}
		in.block = id
		if err := os.MkdirAll(filepath.Join(in.dir()+unfinished, "chunks"), 0o750); err != nil {
			return err
		}
	}
	f, err := os.OpenFile(filepath.Join(in.dir()+unfinished, filepath.FromSlash(m[2])), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o640)
	if err != nil {
		return err
	}
	n, err := io.Copy(f, in.archive)
	in.taken.Bytes += n
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// finish takes the block that was read.
func (in *incoming) finish(ctx context.Context) error {
	if in.block.IsZero() {
		return nil
	}
	dir := in.dir()
	meta, err := in.settle(dir + unfinished)
	if err != nil {
		return fmt.Errorf("block %s: %w", in.block, err)
	}
	if err := readThrough(ctx, dir+unfinished); err != nil {
		return fmt.Errorf("block %s: %w", in.block, err)
	}
	if _, there := os.Stat(dir); there == nil {
		err = in.drop()
	} else if err = fileutil.Rename(dir+unfinished, dir); err == nil {
		in.taken.Blocks++
	}
	in.block = ulid.Zero
	in.taken.Through = time.UnixMilli(meta.MaxTime)
	return err
}

// settle checks what a block says of itself, and marks it as one that came late:
// else the storage would take none of its own samples from before its end again,
// after a restart.
func (in *incoming) settle(dir string) (meta tsdb.BlockMeta, err error) {
	name := filepath.Join(dir, metaFile)
	if info, err := os.Stat(name); err != nil {
		return meta, err
	} else if info.Size() > maxMeta {
		return meta, fmt.Errorf("%s has %d bytes, %d at most", metaFile, info.Size(), maxMeta)
	}
	b, err := os.ReadFile(name)
	if err != nil {
		return meta, err
	}
	if err := json.Unmarshal(b, &meta); err != nil {
		return meta, fmt.Errorf("%s: %w", metaFile, err)
	}
	switch now := in.engine.cfg.Now(); {
	case meta.ULID != in.block:
		return meta, fmt.Errorf("%s is of block %s", metaFile, meta.ULID)
	case meta.MinTime >= meta.MaxTime || meta.MaxTime > now.Add(maxAhead).UnixMilli()+tsdb.DefaultBlockDuration:
		return meta, fmt.Errorf("it is from %d to %d, in milliseconds; now is %d", meta.MinTime, meta.MaxTime, now.UnixMilli())
	}
	meta.Compaction.SetOutOfOrder()
	if b, err = json.MarshalIndent(meta, "", "\t"); err != nil {
		return meta, err
	}
	return meta, writeSynced(name, b)
}

func writeSynced(name string, b []byte) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// readThrough reads all of a block: its index, and every chunk with its checksum.
// The storage reads no block any more once one can't be opened.
func readThrough(ctx context.Context, dir string) (err error) {
	b, err := tsdb.OpenBlock(nil, dir, nil, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	ix, err := b.Index()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ix.Close()) }()
	data, err := b.Chunks()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, data.Close()) }()
	name, value := index.AllPostingsKey()
	all, err := ix.Postings(ctx, name, value)
	if err != nil {
		return err
	}
	var builder labels.ScratchBuilder
	var metas []chunks.Meta
	for all.Next() {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := ix.Series(all.At(), &builder, &metas); err != nil {
			return err
		}
		for _, m := range metas {
			if _, _, err := data.ChunkOrIterable(m); err != nil {
				return fmt.Errorf("series %s: %w", builder.Labels(), err)
			}
		}
	}
	return all.Err()
}
