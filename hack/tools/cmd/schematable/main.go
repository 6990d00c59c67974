// Command schematable prints crates/schema/src/builtin.txt: what kustomize's embedded OpenAPI says about scopes, and
// about lists that merge, without everything that merging does not look at.
//
// The first part has one line a kind: group (`-` for core), version, kind, scope (`n`amespaced, `c`luster, `-` unknown)
// and the number of its node (`-` when nothing below it merges). After an empty line comes one line a node, from 0 on:
// patch strategy, merge keys joined by commas, node of the items, node of the values of any key, and then
// `field=node` for each field; `-` stands for none. After another empty line comes one line a definition, name and node,
// for documents of users that refer to them.
package main

import (
	"fmt"
	"os"
	"sort"
	"strconv"
	"strings"

	"k8s.io/kube-openapi/pkg/validation/spec"
	"sigs.k8s.io/kustomize/kyaml/openapi"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

func main() {
	table := &table{
		definitions: openapi.Schema().Definitions,
		numbers:     map[string]int{},
	}
	kinds := map[yaml.TypeMeta]*spec.Schema{}
	for name := range table.definitions {
		for _, kind := range kindsOf(table.definitions[name]) {
			kinds[kind] = openapi.SchemaForResourceType(kind).Schema
		}
	}
	order := make([]yaml.TypeMeta, 0, len(kinds))
	for kind := range kinds {
		order = append(order, kind)
	}
	sort.Slice(order, func(i, j int) bool { return key(order[i]) < key(order[j]) })
	for _, kind := range order {
		scope := "-"
		if namespaced, known := openapi.IsNamespaceScoped(kind); known {
			scope = map[bool]string{true: "n", false: "c"}[namespaced]
		}
		node := table.number(*kinds[kind], map[string]bool{})
		if scope != "-" || node != "-" {
			fmt.Println(key(kind), scope, node)
		}
	}
	names := make([]string, 0, len(table.definitions))
	for name := range table.definitions {
		names = append(names, name)
	}
	sort.Strings(names)
	definitions := make([]string, 0, len(names))
	for _, name := range names {
		definitions = append(definitions, name+" "+table.number(table.definitions[name], map[string]bool{name: true}))
	}
	fmt.Println()
	for _, line := range table.lines {
		fmt.Println(line)
	}
	fmt.Println()
	for _, line := range definitions {
		fmt.Println(line)
	}
}

func key(kind yaml.TypeMeta) string {
	group, version, found := strings.Cut(kind.APIVersion, "/")
	if !found {
		group, version = "-", group
	}
	return group + " " + version + " " + kind.Kind
}

func kindsOf(definition spec.Schema) []yaml.TypeMeta {
	var kinds []yaml.TypeMeta
	list, _ := definition.Extensions["x-kubernetes-group-version-kind"].([]any)
	for _, item := range list {
		fields, ok := item.(map[string]any)
		if !ok {
			continue
		}
		apiVersion, _ := fields["version"].(string)
		if group, _ := fields["group"].(string); group != "" {
			apiVersion = group + "/" + apiVersion
		}
		kind, _ := fields["kind"].(string)
		kinds = append(kinds, yaml.TypeMeta{APIVersion: apiVersion, Kind: kind})
	}
	return kinds
}

type table struct {
	definitions spec.Definitions
	// numbers has the number of each node by its line.
	numbers map[string]int
	lines   []string
}

func (t *table) resolve(schema spec.Schema, path map[string]bool) (spec.Schema, map[string]bool) {
	for schema.Ref.String() != "" {
		name := strings.TrimPrefix(schema.Ref.String(), "#/definitions/")
		if path[name] {
			// A type that contains itself; no such type has lists that merge.
			return spec.Schema{}, path
		}
		longer := map[string]bool{name: true}
		for known := range path {
			longer[known] = true
		}
		path = longer
		definition, ok := t.definitions[name]
		if !ok {
			fmt.Fprintln(os.Stderr, "no definition of", name)
			os.Exit(1)
		}
		schema = definition
	}
	return schema, path
}

// number returns the number of the node of a schema, or `-` when neither it nor anything below it merges.
func (t *table) number(schema spec.Schema, path map[string]bool) string {
	schema, path = t.resolve(schema, path)
	strategy, keys := (&openapi.ResourceSchema{Schema: &schema}).PatchStrategyAndKeyList()
	items, values := "-", "-"
	if len(schema.Type) == 1 && schema.Type[0] == "array" && schema.Items != nil && schema.Items.Schema != nil {
		items = t.number(*schema.Items.Schema, path)
	}
	if schema.AdditionalProperties != nil && schema.AdditionalProperties.Schema != nil {
		values = t.number(*schema.AdditionalProperties.Schema, path)
	}
	names := make([]string, 0, len(schema.Properties))
	for name := range schema.Properties {
		names = append(names, name)
	}
	sort.Strings(names)
	var fields []string
	for _, name := range names {
		if node := t.number(schema.Properties[name], path); node != "-" {
			fields = append(fields, name+"="+node)
		}
	}
	if strategy == "" && items == "-" && values == "-" && len(fields) == 0 {
		return "-"
	}
	line := strings.Join(append([]string{or(strategy), or(strings.Join(keys, ",")), items, values}, fields...), " ")
	number, found := t.numbers[line]
	if !found {
		number = len(t.lines)
		t.numbers[line] = number
		t.lines = append(t.lines, line)
	}
	return strconv.Itoa(number)
}

func or(text string) string {
	if text == "" {
		return "-"
	}
	return text
}
