package dir

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
)

// create writes a new file, whole or not at all. It fails with fs.ErrExist when
// the name is taken.
func (s *Store) create(model, name string, content any) error {
	b, err := json.MarshalIndent(content, "", "  ")
	if err != nil {
		return err
	}
	tmp, err := s.write(model, append(b, '\n'))
	if err != nil {
		return err
	}
	err = os.Link(tmp, name)
	return errors.Join(err, os.Remove(tmp), syncDir(filepath.Dir(name)))
}

// replace writes a file that may be there, whole or not at all.
func (s *Store) replace(model, name string, content []byte) error {
	tmp, err := s.write(model, append(content, '\n'))
	if err != nil {
		return err
	}
	if err := os.Rename(tmp, name); err != nil {
		return errors.Join(err, os.Remove(tmp))
	}
	return syncDir(filepath.Dir(name))
}

// write puts the content on the disk under a name that nobody reads.
func (s *Store) write(model string, content []byte) (string, error) {
	f, err := os.CreateTemp(s.file(model, "tmp"), "new-")
	if err != nil {
		return "", err
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Chmod(0o644) // a registry is shared; CreateTemp's files are not
	}
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	return f.Name(), nil
}

// syncDir makes the names in a folder last.
func syncDir(name string) error {
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
