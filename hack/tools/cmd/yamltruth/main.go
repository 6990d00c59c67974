// Command yamltruth answers what Go's YAML libraries make of a text, one answer a line for one JSON string a line.
//
//	yamltruth build     a resource as kustomize reads, converts and prints it
//	yamltruth documents every document of a stream as kustomize's reader sees it: tags, texts, styles, positions
//	yamltruth json      sigs.k8s.io/yaml to JSON, as kustomization files are read
//	yamltruth resolve   the tag of a plain scalar, in go-yaml v3 and v2
//
// `yamltruth table SEED COUNT` asks questions of its own and prints them with the answers: the files in
// crates/yaml/tests/data are made so.
//
// An answer is a JSON object with `ok` or `error`.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	yamlv2 "go.yaml.in/yaml/v2"
	yamlv3 "go.yaml.in/yaml/v3"
	"sigs.k8s.io/kustomize/kyaml/kio"
	kyaml "sigs.k8s.io/kustomize/kyaml/yaml"
	"sigs.k8s.io/yaml"
)

type answer struct {
	OK    any    `json:"ok,omitempty"`
	Error string `json:"error,omitempty"`
}

func main() {
	if len(os.Args) == 4 && os.Args[1] == "table" {
		seed, _ := strconv.ParseUint(os.Args[2], 10, 64)
		count, _ := strconv.Atoi(os.Args[3])
		if err := table(seed, count); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: yamltruth build|documents|json|resolve < lines of JSON strings, or yamltruth table SEED COUNT")
		os.Exit(2)
	}
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 64<<20)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	encoder := json.NewEncoder(out)
	for in.Scan() {
		var text string
		if err := json.Unmarshal(in.Bytes(), &text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		if err := encoder.Encode(ask(os.Args[1], text)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
	}
}

func ask(mode, text string) (result answer) {
	defer func() {
		if cause := recover(); cause != nil {
			result = answer{Error: fmt.Sprintf("panic: %v", cause)}
		}
	}()
	var value any
	var err error
	if cyclic(text) {
		return answer{Error: "an alias contains itself, which would end the process"}
	}
	switch mode {
	case "build":
		value, err = build(text)
	case "documents":
		value, err = documents(text)
	case "json":
		var bytes []byte
		bytes, err = yaml.YAMLToJSON([]byte(text))
		value = string(bytes)
	case "resolve":
		value, err = resolve(text)
	default:
		err = fmt.Errorf("unknown mode %q", mode)
	}
	if err != nil {
		return answer{Error: err.Error()}
	}
	return answer{OK: value}
}

func cyclic(text string) bool {
	decoder := yamlv3.NewDecoder(strings.NewReader(text))
	for {
		var node yamlv3.Node
		if decoder.Decode(&node) != nil {
			return false
		}
		if contains(&node, map[*yamlv3.Node]bool{}) {
			return true
		}
	}
}

func contains(node *yamlv3.Node, above map[*yamlv3.Node]bool) bool {
	if above[node] {
		return true
	}
	above[node] = true
	defer delete(above, node)
	if node.Alias != nil && contains(node.Alias, above) {
		return true
	}
	for _, child := range node.Content {
		if contains(child, above) {
			return true
		}
	}
	return false
}

func build(text string) (string, error) {
	nodes, err := kio.FromBytes([]byte(text))
	if err != nil {
		return "", err
	}
	var printed []string
	for _, node := range nodes {
		bytes, err := node.MarshalJSON()
		if err != nil {
			return "", err
		}
		bytes, err = yaml.JSONToYAML(bytes)
		if err != nil {
			return "", err
		}
		printed = append(printed, string(bytes))
	}
	return strings.Join(printed, "---\n"), nil
}

func documents(text string) (any, error) {
	decoder := yamlv3.NewDecoder(strings.NewReader(text))
	all := []any{}
	for {
		var node yamlv3.Node
		err := decoder.Decode(&node)
		if err == io.EOF {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		root := kyaml.NewRNode(&node)
		if err := root.DeAnchor(); err != nil {
			return nil, err
		}
		all = append(all, dump(root.YNode()))
	}
}

// dump writes scalars as [tag, text, style, line, column], sequences as {"seq": […]} and mappings as
// {"map": [key, value, …]}.
func dump(node *yamlv3.Node) any {
	switch node.Kind {
	case yamlv3.DocumentNode:
		return dump(node.Content[0])
	case yamlv3.ScalarNode:
		style := node.Style &^ yamlv3.TaggedStyle
		return []any{node.Tag, node.Value, int(style), node.Line, node.Column}
	}
	items := []any{}
	for _, item := range node.Content {
		items = append(items, dump(item))
	}
	if node.Kind == yamlv3.SequenceNode {
		return map[string]any{"seq": items}
	}
	return map[string]any{"map": items}
}

func resolve(text string) (any, error) {
	node := yamlv3.Node{Kind: yamlv3.ScalarNode, Value: text}
	var v2 any
	printed := "error"
	if err := yamlv2.Unmarshal([]byte("k: "+text+"\n"), &v2); err == nil {
		if m, ok := v2.(map[any]any); ok {
			printed = fmt.Sprintf("%T %v", m["k"], m["k"])
		}
	}
	quoted, err := yamlv2.Marshal(text)
	if err != nil {
		return nil, err
	}
	return []string{node.ShortTag(), printed, string(quoted)}, nil
}
