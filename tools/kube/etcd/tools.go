//go:build tools

// Package tools keeps in go.mod what is built by package path.
package tools

import (
	_ "go.etcd.io/etcd/etcdctl/v3"
	_ "go.etcd.io/etcd/etcdutl/v3"
)
