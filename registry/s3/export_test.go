package s3

import "github.com/aws/aws-sdk-go-v2/service/s3"

// Use has the store use a client that is there: making one takes longer than
// what is tested.
func (s *Store) Use(c *s3.Client) { s.connected = c }
