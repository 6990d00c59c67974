// Command kustomizeloop answers builds with the real kustomize, one JSON object a line in and out: much faster than a
// process for each.
//
// A question has `files` (path → content), `path` (the folder to build, `.` for the root) and `reorder` (`none`,
// `legacy` or `unspecified`); an answer has `ok` or `error`, and `nanoseconds`, what the build took.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path"
	"strings"
	"syscall"
	"time"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/kustomize/kyaml/openapi"
)

type question struct {
	Files   map[string]string `json:"files"`
	Path    string            `json:"path"`
	Reorder string            `json:"reorder"`
}

type answer struct {
	OK          *string `json:"ok,omitempty"`
	Error       string  `json:"error,omitempty"`
	Nanoseconds int64   `json:"nanoseconds"`
}

func main() {
	// Deprecation warnings go to the standard error.
	os.Stderr, _ = os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 1<<30)
	encoder := json.NewEncoder(os.Stdout)
	for in.Scan() {
		var asked question
		if err := json.Unmarshal(in.Bytes(), &asked); err != nil {
			os.Exit(2)
		}
		if err := encoder.Encode(build(asked)); err != nil {
			os.Exit(2)
		}
	}
}

// processorTime is what this process has used, on all cores.
func processorTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func ownSchema(files map[string]string) bool {
	for _, content := range files {
		if strings.Contains(content, "openapi") {
			return true
		}
	}
	return false
}

func build(asked question) (result answer) {
	defer func() {
		if cause := recover(); cause != nil {
			result.Error = fmt.Sprintf("panic: %v", cause)
		}
	}()
	fs := filesys.MakeFsInMemory()
	for name, content := range asked.Files {
		if err := fs.MkdirAll(path.Dir("/" + name)); err != nil {
			return answer{Error: err.Error()}
		}
		if err := fs.WriteFile("/"+name, []byte(content)); err != nil {
			return answer{Error: err.Error()}
		}
	}
	options := krusty.MakeDefaultOptions()
	switch asked.Reorder {
	case "legacy":
		options.Reorder = krusty.ReorderOptionLegacy
	case "unspecified":
		options.Reorder = krusty.ReorderOptionUnspecified
	default:
		options.Reorder = krusty.ReorderOptionNone
	}
	// Reading the built-in schema takes longer than a build: only a schema of the case's own is forgotten.
	if ownSchema(asked.Files) {
		openapi.ResetOpenAPI()
		defer openapi.ResetOpenAPI()
	}
	start, used := time.Now(), processorTime()
	// What the build took, by the clock or by the processor: whichever is less.
	took := func() int64 {
		return min(time.Since(start), processorTime()-used).Nanoseconds()
	}
	resources, err := krusty.MakeKustomizer(options).Run(fs, path.Join("/", asked.Path))
	if err != nil {
		return answer{Error: err.Error(), Nanoseconds: took()}
	}
	yaml, err := resources.AsYaml()
	result.Nanoseconds = took()
	if err != nil {
		result.Error = err.Error()
		return result
	}
	text := string(yaml)
	result.OK = &text
	return result
}
