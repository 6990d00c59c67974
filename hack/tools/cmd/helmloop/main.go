// Command helmloop renders charts with the real Helm engine, one JSON object a line in and out: much faster than a
// process for each.
//
// A question has `files` (path → content, of the whole chart), `values` (the user's) and `times` (how often to render,
// default 1); an answer has `outputs` (path → text) or `error` with its `stage` (load, dependencies, values, render),
// `nanoseconds`, what the rendering alone took, and `same`: whether all times gave the same.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"runtime/debug"
	"time"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/loader/archive"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"
	"helm.sh/helm/v4/pkg/engine"
)

type question struct {
	Files  map[string]string `json:"files"`
	Values map[string]any    `json:"values"`
	Times  int               `json:"times"`
}

type answer struct {
	Outputs     map[string]string `json:"outputs,omitempty"`
	Error       string            `json:"error,omitempty"`
	Stage       string            `json:"stage,omitempty"`
	Nanoseconds int64             `json:"nanoseconds"`
	Same        bool              `json:"same"`
}

func main() {
	slog.SetDefault(slog.New(slog.NewTextHandler(io.Discard, nil)))
	// A template that recurses for ever kills the process; it does so before the machine's memory is gone.
	debug.SetMaxStack(256 << 20)
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 1<<30)
	encoder := json.NewEncoder(os.Stdout)
	for in.Scan() {
		line := in.Bytes()
		result := render(line)
		result.Same = true
		var asked question
		if json.Unmarshal(line, &asked) == nil {
			for i := 1; i < asked.Times && result.Same; i++ {
				again := render(line)
				result.Same = again.Error == result.Error && maps.Equal(again.Outputs, result.Outputs)
			}
		}
		if err := encoder.Encode(result); err != nil {
			os.Exit(2)
		}
	}
}

func render(line []byte) (result answer) {
	stage := "load"
	defer func() {
		if cause := recover(); cause != nil {
			result = answer{Error: fmt.Sprintf("panic: %v", cause), Stage: stage}
		}
	}()
	failed := func(err error) answer { return answer{Error: err.Error(), Stage: stage} }
	// Decoded each time, since rendering changes values.
	var asked question
	if err := json.Unmarshal(line, &asked); err != nil {
		return failed(err)
	}
	if asked.Values == nil {
		asked.Values = map[string]any{}
	}
	var files []*archive.BufferedFile
	for name, content := range asked.Files {
		files = append(files, &archive.BufferedFile{Name: name, Data: []byte(content)})
	}
	var loaded *chart.Chart
	loaded, err := loader.LoadFiles(files)
	if err != nil {
		return failed(err)
	}
	stage = "dependencies"
	if err := chartutil.ProcessDependencies(loaded, asked.Values); err != nil {
		return failed(err)
	}
	stage = "values"
	release := common.ReleaseOptions{Name: "rel", Namespace: "ns", Revision: 1, IsInstall: true}
	values, err := util.ToRenderValues(loaded, asked.Values, release, common.DefaultCapabilities)
	if err != nil {
		return failed(err)
	}
	stage = "render"
	start := time.Now()
	outputs, err := engine.Render(loaded, values)
	nanoseconds := time.Since(start).Nanoseconds()
	if err != nil {
		return answer{Error: err.Error(), Stage: stage, Nanoseconds: nanoseconds}
	}
	return answer{Outputs: outputs, Nanoseconds: nanoseconds}
}
