package dataset

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// Format of a file.
type Format string

// The formats. CSV and JSON Lines may be compressed with gzip or zstd.
const (
	CSV       Format = "csv"
	JSONLines Format = "jsonl"
	Parquet   Format = "parquet"
	Arrow     Format = "arrow" // Arrow IPC, file or stream
)

// Formats lists them.
func Formats() []string {
	return []string{string(CSV), string(JSONLines), string(Parquet), string(Arrow)}
}

func formats() map[string]Format {
	return map[string]Format{
		".csv": CSV, ".jsonl": JSONLines, ".ndjson": JSONLines, ".parquet": Parquet, ".pq": Parquet,
		".arrow": Arrow, ".feather": Arrow, ".ipc": Arrow, ".arrows": Arrow,
	}
}

func extensions() []string {
	var list []string
	for e := range formats() {
		list = append(list, e)
	}
	slices.Sort(list)
	return list
}

// formatOf is what a name says, "" for nothing.
func formatOf(path string) Format {
	path = strings.ToLower(path)
	for _, packed := range []string{".gz", ".zst"} {
		if text, ok := strings.CutSuffix(path, packed); ok {
			if f := formats()[filepath.Ext(text)]; f == CSV || f == JSONLines {
				return f
			}
			return ""
		}
	}
	return formats()[filepath.Ext(path)]
}

// The first bytes of files.
const (
	magicGzip    = "\x1f\x8b"
	magicZstd    = "\x28\xb5\x2f\xfd"
	magicParquet = "PAR1"
	magicArrow   = "ARROW1"
	magicStream  = "\xff\xff\xff\xff" // of an Arrow IPC stream's first message
)

// format of a source: what was said, or what its name says, or its content.
func (s Source) format() (Format, error) {
	if s.Format != "" {
		return s.Format, nil
	}
	if f := formatOf(s.Name); f != "" {
		return f, nil
	}
	f, err := s.Open()
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, done, err := unpack(f)
	if err != nil {
		return "", fmt.Errorf("%s: %w", s.Name, err)
	}
	defer done()
	head, err := text.Peek(512)
	if err != nil && err != io.EOF {
		return "", fmt.Errorf("%s: %w", s.Name, err)
	}
	switch h := string(head); {
	case strings.HasPrefix(h, magicParquet):
		return Parquet, nil
	case strings.HasPrefix(h, magicArrow), strings.HasPrefix(h, magicStream):
		return Arrow, nil
	case bytes.HasPrefix(bytes.TrimLeft(head, " \t\r\n\ufeff"), []byte("{")):
		return JSONLines, nil
	}
	return CSV, nil
}

// Unpack is text without the compression that its first bytes tell of: gzip or
// zstd. done frees what that takes.
func Unpack(r io.Reader) (text io.Reader, done func(), err error) { return unpack(r) }

// unpack decompresses what its first bytes say is compressed.
func unpack(r io.Reader) (text *bufio.Reader, done func(), err error) {
	packed := bufio.NewReaderSize(r, 128<<10)
	magic, _ := packed.Peek(4)
	switch m := string(magic); {
	case strings.HasPrefix(m, magicGzip):
		z, err := gzip.NewReader(packed)
		if err != nil {
			return nil, nil, err
		}
		return bufio.NewReaderSize(z, 64<<10), func() { _ = z.Close() }, nil
	case m == magicZstd:
		z, err := zstd.NewReader(packed, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(64<<20))
		if err != nil {
			return nil, nil, err
		}
		return bufio.NewReaderSize(z, 64<<10), z.Close, nil
	}
	return packed, func() {}, nil
}
