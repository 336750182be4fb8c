// Package artifact finds out whether the artifact of a version is still there,
// and still the same: nothing is deployed without.
//
// An artifact is an S3 object, a file, or all of a folder (a URI that ends in
// "/", or a local directory); or an image that is pinned by its digest, which
// is its own proof. An ETag of S3 is no digest of the content, so the bytes are
// read; they are streamed, never kept.
//
// The digest of a folder is the SHA-256 of the lines that
//
//	find . -type f | cut -c3- | LC_ALL=C sort | xargs sha256sum
//
// prints in it, so that anybody can check it.
package artifact
