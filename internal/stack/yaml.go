package stack

import (
	"bytes"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
	"go.yaml.in/yaml/v4"
)

// maxNodes is how many values a compose file may have once its aliases are
// replaced: far more than any has, and few enough to refuse a file whose
// aliases multiply.
const maxNodes = 100_000

// flatten returns the content of a document with aliases replaced by what they
// stand for and merge keys (<<) by what they merge, so that a key can be read,
// replaced and removed where it is.
func flatten(document *yaml.Node) (*yaml.Node, error) {
	if len(document.Content) == 0 {
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null"}, nil
	}
	return (&flattener{}).node(document.Content[0])
}

type flattener struct{ nodes int }

func (f *flattener) node(n *yaml.Node) (*yaml.Node, error) {
	if f.nodes++; f.nodes > maxNodes {
		return nil, fmt.Errorf("line %d: aliases make this file larger than %d values", n.Line, maxNodes)
	}
	switch n.Kind {
	case yaml.AliasNode:
		return f.node(n.Alias)
	case yaml.MappingNode:
		return f.mapping(n)
	}
	flat := *n
	flat.Anchor, flat.Content = "", nil
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" {
		flat.Value = "null" // a null of no characters is written as an empty text
	}
	quoteLines(&flat)
	for _, c := range n.Content {
		c, err := f.node(c)
		if err != nil {
			return nil, err
		}
		flat.Content = append(flat.Content, c)
	}
	return &flat, nil
}

// mapping returns the mapping n with what it merges; its own keys win, and an
// earlier merge over a later one, as https://yaml.org/type/merge.html has it.
func (f *flattener) mapping(n *yaml.Node) (*yaml.Node, error) {
	flat := *n
	flat.Anchor, flat.Content = "", nil
	lines := map[string]int{}
	var merged []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		value, err := f.node(n.Content[i+1])
		if err != nil {
			return nil, err
		}
		if key.ShortTag() == "!!merge" {
			if merged, err = merges(key, value); err != nil {
				return nil, err
			}
			continue
		}
		if key.Kind != yaml.ScalarNode || key.ShortTag() != "!!str" {
			return nil, fmt.Errorf("line %d: a key must be text\nhint: put it in quotes", key.Line)
		}
		if line, twice := lines[key.Value]; twice {
			return nil, fmt.Errorf("line %d: %s is already on line %d", key.Line, key.Value, line)
		}
		lines[key.Value] = key.Line
		name := *key
		name.Anchor = ""
		flat.Content = append(flat.Content, &name, value)
	}
	for _, other := range merged {
		for i := 0; i+1 < len(other.Content); i += 2 {
			if _, there := lines[other.Content[i].Value]; !there {
				lines[other.Content[i].Value] = other.Content[i].Line
				flat.Content = append(flat.Content, other.Content[i], other.Content[i+1])
			}
		}
	}
	return &flat, nil
}

// merges returns the mappings that the merge key's value asks for.
func merges(key, value *yaml.Node) ([]*yaml.Node, error) {
	all := []*yaml.Node{value}
	if value.Kind == yaml.SequenceNode {
		all = value.Content
	}
	for _, n := range all {
		if n.Kind != yaml.MappingNode {
			return nil, fmt.Errorf("line %d: << merges mappings only", key.Line)
		}
	}
	return all, nil
}

// entries ranges over the keys and values of a mapping; nothing else has any.
func entries(n *yaml.Node) iter.Seq2[string, *yaml.Node] {
	return func(yield func(string, *yaml.Node) bool) {
		if n.Kind != yaml.MappingNode {
			return
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			if !yield(n.Content[i].Value, n.Content[i+1]) {
				return
			}
		}
	}
}

// child returns the value of the mapping's key, nil where it has none.
func child(n *yaml.Node, key string) *yaml.Node {
	for name, value := range entries(n) {
		if name == key {
			return value
		}
	}
	return nil
}

// removeKeys removes the keys of the mapping that unwanted says so of.
func removeKeys(n *yaml.Node, unwanted func(key string) bool) {
	var kept []*yaml.Node
	for i := 0; i+1 < len(n.Content) && n.Kind == yaml.MappingNode; i += 2 {
		if !unwanted(n.Content[i].Value) {
			kept = append(kept, n.Content[i], n.Content[i+1])
		}
	}
	if n.Kind == yaml.MappingNode {
		n.Content = kept
	}
}

// quoteLines has a text of several lines written in double quotes. The block
// style that it gets otherwise does not always read back: not in yaml v4 rc 4
// for a text that begins with a space, in a list.
func quoteLines(n *yaml.Node) {
	if n.Kind == yaml.ScalarNode && strings.ContainsRune(n.Value, '\n') {
		n.Style = yaml.DoubleQuotedStyle
	}
}

// encode returns the project as a docker-compose.yml: the same bytes for the same project.
func encode(project *types.Project, o Options) ([]byte, error) {
	plain, err := project.MarshalJSON() // JSON is YAML, and quotes every text
	if err != nil {
		return nil, err
	}
	var document yaml.Node
	if err := yaml.Unmarshal(plain, &document); err != nil {
		return nil, err
	}
	escape(&document)
	for _, section := range []string{"services", "networks"} {
		if all := child(document.Content[0], section); all != nil {
			for _, one := range entries(all) {
				tidy(one)
			}
		}
	}
	var out bytes.Buffer
	out.WriteString(header(o))
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(&document); err != nil {
		return nil, err
	}
	return out.Bytes(), encoder.Close()
}

// header returns the comment that a rendered file begins with. It holds names only.
func header(o Options) string {
	text := "# Rendered from " + strings.Join(o.Files, ", ")
	if len(o.Overrides) > 0 {
		var names []string
		for _, key := range slices.Sorted(maps.Keys(o.Overrides)) {
			names = append(names, "compose_"+key)
		}
		text += " with " + strings.Join(names, ", ")
	}
	return text + ".\n# The next deployment overwrites what is edited here. It holds secrets: keep it 0600.\n"
}

// escape doubles every $ of every value, as Compose interpolates the values,
// though not the keys, of the file that it is given. It also turns JSON's style
// into the one people read.
func escape(n *yaml.Node) {
	n.Style = 0
	quoteLines(n)
	if n.Kind == yaml.ScalarNode {
		n.Value = strings.ReplaceAll(n.Value, "$", "$$")
	}
	for i, c := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 0 {
			c.Style = 0
			quoteLines(c)
			continue
		}
		escape(c)
	}
}

// tidy removes what compose-go writes for a service or network that says nothing of it.
func tidy(n *yaml.Node) {
	for _, key := range []string{"command", "entrypoint", "ipam"} {
		value := child(n, key)
		if value != nil && (value.ShortTag() == "!!null" || value.Kind == yaml.MappingNode && len(value.Content) == 0) {
			removeKeys(n, func(k string) bool { return k == key })
		}
	}
}
