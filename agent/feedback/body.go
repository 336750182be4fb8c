package feedback

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// maxRows bounds one request.
const maxRows = 50_000

// errTooMany is an error of the request, not of a row.
var errTooMany = fmt.Errorf("more than %d rows; send them in several requests", maxRows)

// splitRows finds the rows of a body, in any of its three forms. It does not
// look into them.
func splitRows(body []byte) ([]json.RawMessage, error) {
	body = bytes.TrimSpace(body)
	if len(body) == 0 {
		return nil, errors.New("the body is empty; send rows of {namespace, model, version, predicted, actual}")
	}
	if body[0] == '[' {
		return splitArray(body)
	}
	var wrapped struct {
		Rows json.RawMessage `json:"rows"`
	}
	if json.Unmarshal(body, &wrapped) == nil && len(wrapped.Rows) > 0 && wrapped.Rows[0] == '[' {
		return splitArray(wrapped.Rows)
	}
	return splitLines(body)
}

func splitArray(body []byte) ([]json.RawMessage, error) {
	var rows []json.RawMessage
	if err := json.Unmarshal(body, &rows); err != nil {
		return nil, fmt.Errorf("the body is not an array of rows: %w", err)
	}
	if len(rows) > maxRows {
		return nil, errTooMany
	}
	return rows, nil
}

// splitLines takes each line as a row, so that one that is damaged costs itself
// only. A row that is alone may span lines.
func splitLines(body []byte) ([]json.RawMessage, error) {
	if json.Valid(body) {
		return []json.RawMessage{body}, nil
	}
	var rows []json.RawMessage
	for line := range bytes.Lines(body) {
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			continue
		}
		if len(rows) == maxRows {
			return nil, errTooMany
		}
		rows = append(rows, line)
	}
	return rows, nil
}
