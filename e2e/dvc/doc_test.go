// Package dvc_test tries "leeway register --dvc" and "leeway diff --md" on
// repositories that the dvc program and git have made, against what they say.
package dvc_test
