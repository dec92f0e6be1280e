//go:build tools

// Package tools keeps in go.mod what is built by package path.
package tools

import _ "helm.sh/helm/v4/cmd/helm"
